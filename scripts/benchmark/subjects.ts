// What is measured: our plugins and Debian's, each with the namespaces that its calls need.
import { existsSync } from "node:fs";
import { ip } from "../../test/harness/ip.ts";
import type { Namespace } from "../../test/harness/namespaces.ts";
import { debianPlugins, dist } from "../../test/harness/plugin.ts";

/** A plugin and how it is called. */
export interface Subject {
  /** As the table has it: `bridge + host-local`. */
  readonly name: string;
  readonly executable: string;
  /** Verbs in the order of a pod's life, all in one namespace: `ADD`, `CHECK`, `DEL`. */
  readonly verbs: readonly string[];
  readonly ifname: string;
  readonly netconf: { readonly cniVersion: string } & Readonly<Record<string, unknown>>;
  /** Readies fresh pod namespaces for it. */
  readonly prepare: (node: Namespace, pods: readonly Namespace[]) => Promise<void>;
  /** Whether a chained plugin comes before it, whose result its ADD gets. */
  readonly prevResult?: object;
}

const cniVersion = "1.0.0";
const wholeLife = ["ADD", "CHECK", "DEL"];
const nothing = async (): Promise<void> => undefined;
let links = 0;

/** A pod link such as a network's plugin leaves: eth0, a veth, with an address and a default route. */
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

/** All there are. `state` is a directory for what plugins remember, on a file system in memory as /run is. */
export function subjects(state: string): Subject[] {
  const ours = ["bridge-binding"].filter((name) => existsSync(`${dist}/${name}`));
  return [
    ...ours.map((type) => ({
      name: type,
      executable: `${dist}/${type}`,
      verbs: wholeLife,
      ifname: "net1",
      netconf: { cniVersion, name: "net", type, dataDir: `${state}/${type}` },
      prepare: podLink,
    })),
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
      name: "tuning",
      executable: `${debianPlugins}/tuning`,
      verbs: wholeLife,
      ifname: "eth0",
      netconf: {
        cniVersion,
        name: "net",
        type: "tuning",
        dataDir: `${state}/tuning`,
        sysctl: { "net.ipv4.conf.eth0.arp_ignore": "1" },
      },
      prepare: podLink,
      prevResult,
    },
    {
      name: "host-local",
      executable: `${debianPlugins}/host-local`,
      verbs: [],
      ifname: "eth0",
      netconf: { cniVersion },
      prepare: nothing,
    },
  ];
}
