// The plugins that the faults are tried on. sriov-vfio needs a VF: test/lab/sriov/faulty.ts
// prepares it.
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
    // The same pairs as `attach` creates, but with two processes for all of them.
    await ip(
      pod.node,
      ...networks.map(({ n, link }) => `link add veth${n} type veth peer name ${link} netns ${pod.namespace.name}`),
      ...networks.map(({ n }) => `link set veth${n} up`),
    );
    await ip(
      pod.namespace,
      ...networks.flatMap(({ n, link }) => [
        `address add 10.0.${n}.2/24 dev ${link}`,
        `address add fd00:0:0:${n}::2/64 dev ${link}`,
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
  // A namespace's sysctls belong to the root user of its user namespace (net_ctl_permissions).
  capabilities: ["sys_admin"],
  // Values that differ from a new namespace's, so that a restored value is not the default.
  furnish: ({ namespace }) =>
    writeSysctls(namespace, { "net/ipv4/ip_unprivileged_port_start": "500", "net/ipv4/ping_group_range": "90 95" }),
  // Each attachment requests other values.
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

/** The name that KubeVirt gives to a network's pod link (namescheme/networknamescheme.go). */
function linkOf(network: string): string {
  return `pod${createHash("sha256").update(network).digest("hex").slice(0, 11)}`;
}

/** In the order of their tests. Add a new plugin here. */
export const subjects: readonly Subject[] = [bridgeBinding, passtBinding];
