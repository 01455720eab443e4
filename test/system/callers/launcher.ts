// A virt-launcher pod on a node with Multus: the cluster's API has the pod, with the annotation
// that KubeVirt writes, and all NetworkAttachmentDefinitions.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Test } from "tap";
import { filesIn, type Netconf, newDataDir } from "../../harness/attachment.ts";
import { ip } from "../../harness/ip.ts";
import { type KubeApi, type KubeObject, startKubeApi } from "../../harness/kube-api.ts";
import { installMultus, type Multus } from "../../harness/multus.ts";
import type { VmNetwork } from "../../harness/multus-kubevirt.ts";
import { definition, example, launcherPod } from "../../harness/multus-manifests.ts";
import type { Answer } from "../../harness/plugin.ts";
import { createPod, type Pod } from "../../harness/pod.ts";
import type { Scope } from "../../harness/scope.ts";

/** See {@link createLauncher}. */
export interface Launcher {
  readonly pod: Pod;
  /** The pod as the API has it. */
  readonly manifest: KubeObject;
  readonly api: KubeApi;
  readonly multus: Multus;
  /** Where each of our plugins records attachments. */
  readonly dataDirs: Readonly<Record<"bridge-binding" | "passt-binding", string>>;
  /** The names of all their records. */
  records(): Promise<string[]>;
  /** What a container runtime has Multus do for the pod. */
  add(): Promise<Answer>;
  del(): Promise<Answer>;
}

export interface LauncherOptions {
  /** The VM's. */
  readonly networks: readonly VmNetwork[];
  /**
   * NetworkAttachmentDefinitions' configurations by their names, such as `vms/blue-net`, beside
   * those of our bindings.
   */
  readonly nads?: Readonly<Record<string, Netconf>>;
}

/**
 * Makes one, and attaches nothing yet; gone when `t` ends. The bindings'
 * NetworkAttachmentDefinitions are those of netconf-examples, `dataDir` apart.
 */
export async function createLauncher(t: Test, { networks, nads = {} }: LauncherOptions): Promise<Launcher> {
  const pod = await createPod(t);
  const dataDirs = {
    "bridge-binding": await newDataDir(t, "bridge-binding"),
    "passt-binding": await newDataDir(t, "passt-binding"),
  };
  const leases = await leaseDirectory(t);
  const manifest = launcherPod(networks);
  const definitions = [
    ...(["bridge", "passt"] as const).map((folder) => example(folder, { dataDir: dataDirs[`${folder}-binding`] })),
    ...Object.entries(nads).map(([name, netconf]) => definition(name, netconf)),
  ];
  const api = await startKubeApi(t, [manifest, ...definitions], pod.node);
  const multus = installMultus(t, { api, network: clusterNetwork(leases) });
  const { ifname: _, ...call } = pod.call("");
  return {
    ...{ pod, manifest, api, multus, dataDirs },
    records: async () => (await Promise.all(Object.values(dataDirs).map(filesIn))).flat(),
    add: () => multus.add(call, manifest),
    del: () => multus.del(call, manifest),
  };
}

/** The cluster's own network: eth0 on a bridge, with both families and the default routes. */
function clusterNetwork(dataDir: string): Netconf {
  return {
    cniVersion: "1.0.0",
    name: "cluster",
    plugins: [
      {
        type: "bridge",
        bridge: "cni0",
        isGateway: true,
        ipam: {
          type: "host-local",
          dataDir,
          ranges: [[{ subnet: "10.244.0.0/24" }], [{ subnet: "fd00:244::/64" }]],
          routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
        },
      },
      { type: "tuning", sysctl: { "net.ipv4.conf.IFNAME.arp_notify": "1" } },
    ],
  };
}

/** A macvlan on the node's `uplink`, which {@link makeUplink} makes, with an address. */
export async function macvlanNetwork(scope: Scope): Promise<Netconf> {
  return {
    cniVersion: "1.0.0",
    type: "macvlan",
    master: "uplink",
    mode: "bridge",
    ipam: { type: "host-local", dataDir: await leaseDirectory(scope), ranges: [[{ subnet: "10.7.0.0/24" }]] },
  };
}

/** The NIC that a node's macvlans stand on. */
export async function makeUplink({ node }: Pod): Promise<void> {
  await ip(node, "link add uplink type veth peer name outside", "link set uplink up", "link set outside up");
}

async function leaseDirectory(scope: Scope): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "leases-"));
  scope.teardown(() => rm(directory, { recursive: true }));
  return directory;
}
