// Creates a virt-launcher pod on a node with Multus. The API serves the pod with KubeVirt's
// annotation, and all NetworkAttachmentDefinitions.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Test } from "tap";
import { type Netconf, newDataDir, recordsIn } from "../../harness/attachment.ts";
import { ip } from "../../harness/ip.ts";
import { type KubeApi, type KubeObject, startKubeApi } from "../../harness/kube-api.ts";
import { installMultus, type Multus } from "../../harness/multus.ts";
import type { VmNetwork } from "../../harness/multus-kubevirt.ts";
import { definition, example, launcherPod } from "../../harness/multus-manifests.ts";
import type { Answer } from "../../harness/plugin.ts";
import { createPod, type Pod } from "../../harness/pod.ts";
import type { Scope } from "../../harness/scope.ts";

export interface Launcher {
  readonly pod: Pod;
  /** The pod's object in the API. */
  readonly manifest: KubeObject;
  readonly api: KubeApi;
  readonly multus: Multus;
  /** The journal's directory of each of our plugins. */
  readonly dataDirs: Readonly<Record<"bridge-binding" | "passt-binding", string>>;
  /** The names of all records in these directories. */
  records(): Promise<string[]>;
  /** Calls Multus for the pod as a container runtime does. */
  add(): Promise<Answer>;
  del(): Promise<Answer>;
}

export interface LauncherOptions {
  /** The VM's networks. */
  readonly networks: readonly VmNetwork[];
  /**
   * Netconfs of NetworkAttachmentDefinitions by name, such as `vms/blue-net`, in addition to those
   * of our bindings.
   */
  readonly nads?: Readonly<Record<string, Netconf>>;
}

/**
 * Creates the pod, the API and Multus, until `t` ends. Calls no plugin.
 *
 * The bindings' NetworkAttachmentDefinitions are those of netconf-examples, with another `dataDir`.
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
    records: async () => (await Promise.all(Object.values(dataDirs).map(recordsIn))).flat(),
    add: () => multus.add(call, manifest),
    del: () => multus.del(call, manifest),
  };
}

/** Returns the cluster's default network: eth0 on a bridge, with IPv4, IPv6 and default routes. */
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

/**
 * Returns the netconf of a macvlan with an address, on the link `uplink` from {@link makeUplink}.
 */
export async function macvlanNetwork(scope: Scope): Promise<Netconf> {
  return {
    cniVersion: "1.0.0",
    type: "macvlan",
    master: "uplink",
    mode: "bridge",
    ipam: { type: "host-local", dataDir: await leaseDirectory(scope), ranges: [[{ subnet: "10.7.0.0/24" }]] },
  };
}

/** Creates the parent link of the node's macvlans. */
export async function makeUplink({ node }: Pod): Promise<void> {
  await ip(node, "link add uplink type veth peer name outside", "link set uplink up", "link set outside up");
}

async function leaseDirectory(scope: Scope): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "leases-"));
  scope.teardown(() => rm(directory, { recursive: true }));
  return directory;
}
