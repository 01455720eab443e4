// The programs to measure: our plugins and other plugins, each with the namespaces that its calls
// need.
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { ip } from "../test/harness/ip.ts";
import type { Namespace } from "../test/harness/namespaces.ts";
import { debianPlugins, dist } from "../test/harness/plugin.ts";
import type { Target } from "./targets.ts";

/** A plugin and how it is called. */
export interface Subject {
  /** The name in the table, such as `bridge + host-local`. */
  readonly name: string;
  readonly executable: string;
  /** Verbs in the order of a pod's life, all in one namespace: `ADD`, `CHECK`, `DEL`. */
  readonly verbs: readonly string[];
  readonly ifname: string;
  readonly netconf: { readonly cniVersion: string } & Readonly<Record<string, unknown>>;
  /** Prepares new pod namespaces for this subject. */
  readonly prepare: (node: Namespace, pods: readonly Namespace[]) => Promise<void>;
  /** The result of a preceding plugin in the chain, which ADD receives. */
  readonly prevResult?: object;
}

/** Returns the environment variables of a subject's call. */
export function environment({ ifname }: Subject, verb: string, pod: Namespace): Record<string, string> {
  return {
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    CNI_COMMAND: verb,
    CNI_PATH: `${dist}:${debianPlugins}`,
    CNI_CONTAINERID: pod.name,
    CNI_NETNS: pod.path,
    CNI_IFNAME: ifname,
  };
}

/** Where test/system/peers/build puts its executables. */
const peers = fileURLToPath(new URL("../.cache/peers", import.meta.url));

const cniVersion = "1.0.0";
const wholeLife = ["ADD", "CHECK", "DEL"];
const nothing = async (): Promise<void> => undefined;
let links = 0;

/**
 * Creates a pod link like a network plugin's: the veth eth0 with an address and a default route.
 */
async function podLink(node: Namespace, pods: readonly Namespace[]): Promise<void> {
  for (const { name } of pods) {
    links += 1;
    await ip(node, `link add veth${links} type veth peer name eth0 netns ${name}`, `link set veth${links} up`);
    await ip(
      { name, path: "" },
      "address add 10.9.0.2/24 dev eth0",
      "link set eth0 up",
      "route add default via 10.9.0.1",
    );
  }
}

const prevResult = {
  cniVersion,
  interfaces: [{ name: "eth0", sandbox: "/run/netns/pod" }],
  ips: [{ address: "10.9.0.2/24", interface: 0 }],
};

/** One of our plugins, and the plugins that it is compared with. */
export interface Contest {
  readonly ours: Subject;
  /** The first peer does the same work: shares in the targets are relative to it. */
  readonly peers: readonly Subject[];
  readonly targets: readonly Target[];
}

/**
 * Returns all contests, without peers that are not installed.
 *
 * `state` is a directory for the plugins' data, on a file system in memory, as /run is.
 */
export function contests(state: string): Contest[] {
  const all = [bridgeBinding(state), passtBinding(state), sriovVfio(state)];
  return all.map((contest) => ({
    ...contest,
    peers: contest.peers.filter(({ executable }) => existsSync(executable)),
  }));
}

/** Targets of every plugin, independent of its peers. */
const budgets: readonly Target[] = [
  { of: "peak memory", megabytes: 4 },
  { of: "size", megabytes: 2.4 },
];

function bridgeBinding(state: string): Contest {
  return {
    ours: ours("bridge-binding", state),
    peers: [
      {
        name: "bridge + host-local",
        executable: `${debianPlugins}/bridge`,
        verbs: wholeLife,
        ifname: "eth0",
        netconf: {
          cniVersion,
          name: "net",
          type: "bridge",
          bridge: "cni0",
          isDefaultGateway: true,
          ipam: { type: "host-local", dataDir: `${state}/host-local`, ranges: [[{ subnet: "10.8.0.0/16" }]] },
        },
        prepare: nothing,
      },
      {
        name: "host-local",
        executable: `${debianPlugins}/host-local`,
        verbs: [],
        ifname: "eth0",
        netconf: { cniVersion },
        prepare: nothing,
      },
    ],
    targets: [
      { verb: "VERSION", of: "time", share: "1" },
      // Comparable work: setting up a pod's default network.
      { verb: "ADD", of: "time", share: "1/3" },
      ...budgets,
    ],
  };
}

function passtBinding(state: string): Contest {
  return {
    ours: ours("passt-binding", state),
    peers: [
      {
        name: "KubeVirt's passt-binding",
        executable: `${peers}/kubevirt-passt-binding`,
        verbs: wholeLife,
        ifname: "net1",
        netconf: { cniVersion, name: "net", type: "passt-binding" },
        prepare: podLink,
      },
      {
        name: "tuning",
        executable: `${debianPlugins}/tuning`,
        verbs: wholeLife,
        ifname: "eth0",
        netconf: {
          cniVersion,
          name: "net",
          type: "tuning",
          dataDir: `${state}/tuning`,
          // With a tab, as the kernel prints it: the CHECK of tuning compares the bytes.
          sysctl: { "net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "107\t107" },
        },
        prepare: podLink,
        prevResult,
      },
    ],
    targets: [
      { verb: "ADD", of: "time", share: "1/2" },
      { verb: "ADD", of: "CPU time", share: "1/2" },
      { of: "peak memory", share: "1/3" },
      { of: "size", share: "1/5" },
      ...budgets,
    ],
  };
}

/**
 * Only the calls that need no VF. The lab measures the others: test/lab/sriov/beside-sriov-cni.ts.
 */
function sriovVfio(state: string): Contest {
  return { ours: { ...ours("sriov-vfio", state), verbs: [], prepare: nothing }, peers: [], targets: budgets };
}

/**
 * Returns the directory of a plugin's journal. Our plugins keep their journals below directories of
 * their own.
 */
export function journalOf(type: string, state: string): string {
  return `/run/${type}/${basename(state)}`;
}

function ours(type: string, state: string): Subject {
  return {
    name: type,
    executable: `${dist}/${type}`,
    verbs: wholeLife,
    ifname: "net1",
    netconf: { cniVersion, name: "net", type, dataDir: journalOf(type, state) },
    prepare: podLink,
  };
}
