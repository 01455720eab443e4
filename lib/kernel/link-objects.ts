// Reads the addresses, routes, neighbours and nexthops of links.
import { ignoring } from "../errno.ts";
import type { Netlink } from "../netlink/client.ts";
import { families } from "../netlink/message.ts";
import { type AddressMessage, address } from "../netlink/route/address.ts";
import type { LinkMessage } from "../netlink/route/link.ts";
import { type NeighborMessage, neighbor, neighborFlags, neighborStates } from "../netlink/route/neighbor.ts";
import { type NexthopMessage, nexthop } from "../netlink/route/nexthop.ts";
import { type RouteMessage, route } from "../netlink/route/route.ts";
import { prefixRouteOf } from "../plan/address.ts";
import type { Detail } from "../plan/change.ts";
import { addressIdentity, neighborIdentity, routeIdentity } from "../plan/keys.ts";

/** RTPROT_KERNEL: the routes that the kernel adds and deletes with an address. */
export const byKernel = 2;
/** RTN_UNICAST of <linux/rtnetlink.h>. */
const unicast = 1;

export interface LinkObjects {
  readonly addresses: readonly AddressMessage[];
  readonly routes: readonly RouteMessage[];
  readonly neighbors: readonly NeighborMessage[];
  readonly nexthops: readonly NexthopMessage[];
}

/** Drops other objects as they arrive, so that a pod cannot exhaust the memory by their number. */
export function objectsOf(rtnl: Netlink, links: readonly LinkMessage[], detail: Detail | undefined): LinkObjects {
  const wanted = new Set(
    links
      .filter((one) => detail?.isWanted({ index: one.index, name: one.name ?? "" }) ?? true)
      .map(({ index }) => index),
  );
  const isOn = (index: number | undefined): boolean => index !== undefined && wanted.has(index);
  const objects = detail?.objects;
  const isRelevant = (identity: () => string): boolean => objects === undefined || objects.has(identity());
  const addresses = rtnl.dump(
    address,
    {},
    (one) => isOn(one.index) && isRelevant(() => addressIdentity({ message: one, prefixRoute: true })),
  );
  const prefixes = new Set(addresses.map(ownPrefix));
  const sources = new Set(addresses.map(({ family, local, address }) => `${family} ${local ?? address}`));
  const isRouteOn = ({ family, oif, hops, preferredSource }: RouteMessage): boolean =>
    isOn(oif) || hops?.some(({ index }) => isOn(index)) === true || sources.has(`${family} ${preferredSource}`);
  const keepRoute = (one: RouteMessage): boolean =>
    isRouteOn(one) && (one.protocol === byKernel ? prefixes.has(prefixOf(one)) : isRelevant(() => routeIdentity(one)));
  const keepNeighbor = (one: NeighborMessage): boolean => isOn(one.index) && isRelevant(() => neighborIdentity(one));
  return {
    addresses,
    routes: [families.ipv4, families.ipv6].flatMap((family) => rtnl.dump(route, { family }, keepRoute)),
    neighbors: [
      ...rtnl.dump(neighbor, {}, (one) => isStatic(one) && keepNeighbor(one)),
      ...rtnl.dump(neighbor, { flags: neighborFlags.proxy }, keepNeighbor),
    ],
    // Only a plan asks for them. EOPNOTSUPP before Linux 5.3.
    nexthops:
      objects === undefined
        ? (ignoring(["EOPNOTSUPP"], () => rtnl.dump(nexthop, {}, ({ oif }) => isOn(oif))) ?? [])
        : [],
  };
}

/**
 * Whether a process added the entry: it is permanent, or without ARP. The kernel adds the entries
 * of broadcast and multicast addresses.
 */
function isStatic({ state, type, mac }: NeighborMessage): boolean {
  if ((state & neighborStates.permanent) !== 0) return true;
  return (state & neighborStates.noArp) !== 0 && type === unicast && mac !== undefined;
}

export function prefixOf({ family, destination, destinationLength }: RouteMessage): string {
  const all = family === families.ipv6 ? "::" : "0.0.0.0";
  return `${family} ${destination ?? all}/${destinationLength}`;
}

export function ownPrefix(message: AddressMessage): string {
  const { destination, length } = prefixRouteOf(message);
  return `${message.family} ${destination}/${length}`;
}
