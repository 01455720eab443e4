// The plugins that faults are tried on, here and in the lab: sriov-vfio, which needs a VF, has its
// own in test/lab/sriov/faulty.ts.
import { createHash } from "node:crypto";
import { attachmentOf, type Netconf } from "../../harness/attachment.ts";
import { ip, writeSysctls } from "../../harness/ip.ts";
import { furnish } from "../../harness/pod.ts";
import type { Subject } from "./subject.ts";

const four = [1, 2, 3, 4] as const;

const bridgeBinding: Subject = {
  name: "bridge-binding",
  capabilities: ["sys_admin", "net_admin"],
  furnish,
  four: async (scope, pod, dataDir) => {
    const networks = four.map((n) => ({ n, name: `network${n}`, link: linkOf(`network${n}`) }));
    // Pairs as `attach` makes them, but all with two processes.
    await ip(
      pod.node,
      ...networks.map(({ n, link }) => `link add veth${n} type veth peer name ${link} netns ${pod.namespace.name}`),
      ...networks.map(({ n }) => `link set veth${n} up`),
    );
    await ip(
      pod.namespace,
      ...networks.flatMap(({ n, link }) => [
        `address add 10.0.${n}.2/24 dev ${link}`,
        `address add fd00:${n}::2/64 dev ${link}`,
        `link set ${link} up`,
      ]),
    );
    return await Promise.all(
      networks.map(({ n, name }) => {
        const netconf: Netconf = { args: { cni: { logicNetworkName: name } } };
        return attachmentOf(scope, "bridge-binding", pod, { ifname: `net${n}`, dataDir, netconf });
      }),
    );
  },
};

const passtBinding: Subject = {
  name: "passt-binding",
  // A namespace's sysctls are files of its root's (net_ctl_permissions).
  capabilities: ["sys_admin"],
  // Something of its own, so that what comes back is not what a new namespace has anyway.
  furnish: ({ namespace }) =>
    writeSysctls(namespace, { "net/ipv4/ip_unprivileged_port_start": "500", "net/ipv4/ping_group_range": "90 95" }),
  // Each asks for something else.
  four: (scope, pod, dataDir) =>
    Promise.all(
      four.map((n) => {
        const netconf: Netconf = {
          unprivilegedPortStart: 1000 - 100 * n,
          pingGroupRange: [500 - 20 * n, 500 + 10 * n],
        };
        return attachmentOf(scope, "passt-binding", pod, { ifname: `net${n}`, dataDir, netconf });
      }),
    ),
};

/**
 * The pod link that stands for a network, by the name that KubeVirt gives to it
 * (namescheme/networknamescheme.go).
 */
function linkOf(network: string): string {
  return `pod${createHash("sha256").update(network).digest("hex").slice(0, 11)}`;
}

/** In the order of their tests. A new plugin is one more. */
export const subjects: readonly Subject[] = [bridgeBinding, passtBinding];
