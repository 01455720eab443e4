// Creates two pods on one node and one network, with Debian's bridge and host-local.
import { addresses, links } from "../../../harness/ip.ts";
import type { Namespace } from "../../../harness/namespaces.ts";
import { callSuccessfully, debianPlugins } from "../../../harness/plugin.ts";
import { createPods, type Pod } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";

/** A pod and its network before a binding is attached. */
export interface Neighbor {
  readonly pod: Pod;
  /** The pod link. `mac`, `ipv4` and `ipv6` are its addresses. */
  readonly ifname: string;
  readonly mac: string;
  /** With prefix length: `10.1.0.2/24`, `fd00:1::2/64`. */
  readonly ipv4: string;
  readonly ipv6: string;
  /** Calls the network's own DEL. Call it after our DEL. */
  detach(): Promise<void>;
}

export interface Neighborhood {
  readonly neighbors: readonly [Neighbor, Neighbor];
  /** The namespace of the network's bridge, cni1, which holds the gateway's addresses. */
  readonly node: Namespace;
  readonly gateways: readonly [ipv4: string, ipv6: string];
}

/** Creates both pods with pod links of these names, dual stack, and with default routes. */
export async function createNeighbors(
  scope: Scope,
  { ifnames, mtu }: { ifnames: readonly [string, string]; mtu: number },
): Promise<Neighborhood> {
  const [first, other] = (await createPods(scope, 2)) as [Pod, Pod];
  const { node } = first;
  const second: Pod = { ...other, node, call: (ifname) => ({ ...other.call(ifname), node }) };
  const network = await first.attach({ kind: "bridge", families: "dual", mtu, ifname: ifnames[0] });
  const [ipv4, ipv6] = network.gateways as [string, string];

  const call = second.call(ifnames[1]);
  const { result } = await callSuccessfully(`${debianPlugins}/bridge`, "ADD", call, network.netconf);
  const detach = async (): Promise<void> => {
    await callSuccessfully(`${debianPlugins}/bridge`, "DEL", call, { ...network.netconf, prevResult: result });
  };
  const neighbors = [await describe(first, ifnames[0], network.detach), await describe(second, ifnames[1], detach)];
  return { neighbors: neighbors as [Neighbor, Neighbor], node, gateways: [ipv4, ipv6] };
}

async function describe(pod: Pod, ifname: string, detach: () => Promise<void>): Promise<Neighbor> {
  const mac = (await links(pod.namespace)).get(ifname)!.address;
  const [ipv4, ipv6] = (await addresses(pod.namespace, ifname)) as [string, string];
  return { pod, ifname, mac, ipv4, ipv6, detach };
}
