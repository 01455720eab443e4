// Reads the links of a network namespace, with their addresses, routes and neighbours, in the types
// of plans.
import type { Netlink } from "../netlink/client.ts";
import { families } from "../netlink/message.ts";
import { type AddressMessage, addressFlags } from "../netlink/route/address.ts";
import { bridgePort } from "../netlink/route/bridge.ts";
import { type LinkMessage, link } from "../netlink/route/link.ts";
import { linkExtras, linkFlags } from "../netlink/route/link-header.ts";
import { forwarding, type NeighborMessage, neighborStates } from "../netlink/route/neighbor.ts";
import type { RouteMessage } from "../netlink/route/route.ts";
import type { Detail } from "../plan/change.ts";
import { chosenFlags, wantsPrefixRoute } from "../plan/normal.ts";
import type {
  Address,
  KernelRoute,
  Neighbor,
  ObservedLink,
  ObservedTap,
  PortSettings,
  PortVlan,
} from "../plan/state.ts";
import { byKernel, objectsOf, ownPrefix, prefixOf } from "./link-objects.ts";

/** ARPHRD_ETHER of <linux/if_arp.h>. */
const ethernet = 1;
/** Kinds of links that go down with the link that they stand on. */
const standingKinds: ReadonlySet<string> = new Set(["vlan", "macsec"]);
/** RTN_UNICAST of <linux/rtnetlink.h>. */
const unicast = 1;
/** IFF_TAP of <linux/if_tun.h>, the value of IFLA_TUN_TYPE. */
const iffTap = 2;
/** INFINITY_LIFE_TIME of <linux/if_addr.h>. */
const forever = 0xffffffff;

/** Returns all links, with the objects of the wanted ones. Throws a NetlinkError. */
export function observeLinks(rtnl: Netlink, detail?: Detail): ObservedLink[] {
  const links = rtnl.dump(link, { extMask: linkExtras.skipStatistics });
  const { addresses, routes, neighbors, nexthops } = objectsOf(rtnl, links, detail);
  const vlans = links.some(isFiltering) ? vlansByPort(rtnl) : undefined;
  const stations = links.some(isBridgedMacvlan) ? stationsByPort(rtnl) : undefined;
  const names = new Map(links.map(({ index, name }) => [index, name]));
  // Each list is read once, whatever the number of links.
  const byLink = {
    addresses: grouped(addresses, ({ index }) => index),
    neighbors: grouped(neighbors, ({ index }) => index),
    nexthops: grouped(nexthops, ({ oif }) => oif),
    routes: routesByLink(routes, addresses),
    uppers: grouped(links, ({ link }) => link),
  };
  return links.map((message) => {
    const { index, mac, type, info, afSpec, group, mtu, otherNames, parentBus, parentDevice } = message;
    const own = (byLink.addresses.get(index) ?? []).filter((one) => !isTemporary(one));
    const mine = byLink.routes.get(index) ?? [];
    // Not the local routes to the addresses themselves.
    const prefixes = new Set(
      mine.filter(({ protocol, type }) => protocol === byKernel && type === unicast).map(prefixOf),
    );
    const master = names.get(message.master ?? 0);
    const tap = tapOf(message);
    const above = byLink.uppers.get(index) ?? [];
    const uppers = above.filter(receivesAll);
    const standing = above.filter(
      ({ info, linkNetns }) => linkNetns === undefined && standingKinds.has(info?.kind ?? ""),
    );
    const leading = byLink.nexthops.get(index) ?? [];
    const ipv6 = afSpec?.ipv6?.conf;
    return {
      index,
      name: message.name ?? "",
      kind: tap === undefined ? (info?.kind ?? "") : "tap",
      mark: group ?? 0,
      mtu: mtu ?? 0,
      up: (message.flags & linkFlags.up) !== 0,
      addresses: own.map((one) => addressFrom(one, message, prefixes)),
      routes: inOrder(mine.filter(({ protocol }) => protocol !== byKernel)),
      neighbors: (byLink.neighbors.get(index) ?? []).map(withoutIndex),
      ...(type === ethernet && mac !== undefined && { mac }),
      ...(master !== undefined && { master }),
      ...(ipv6 !== undefined && { ipv6: !ipv6.disabled }),
      ...(ipv6 !== undefined && ipv6.mtu !== mtu && { ipv6Mtu: ipv6.mtu }),
      ...(info?.kind === "bridge" && { bridge: { vlanFiltering: isFiltering(message) } }),
      ...(info?.slaveKind === "bridge" && { port: portOf(message, vlans?.get(index), stations?.get(index)) }),
      ...(tap !== undefined && { tap }),
      ...(uppers.length > 0 && { uppers: uppers.map(({ name = "" }) => name) }),
      ...(standing.length > 0 && { standing: standing.map(({ name = "" }) => name) }),
      ...(leading.length > 0 && { nexthops: leading.map(({ id = 0 }) => id) }),
      ...(otherNames?.names !== undefined && { otherNames: otherNames.names }),
      ...(parentDevice !== undefined && parentBus === "pci" && { parent: parentDevice }),
    };
  });
}

/** The kernel alone adds and deletes privacy addresses (RFC 8981). */
function isTemporary({ family, flags }: AddressMessage): boolean {
  return family === families.ipv6 && (flags & addressFlags.secondary) !== 0;
}

function addressFrom(message: AddressMessage, on: LinkMessage, prefixes: ReadonlySet<string>): Address {
  const { index: _, lifetime: shown, ...rest } = message;
  // The kernel reports an IPv4 address that is valid permanently as preferred permanently, even if
  // it is deprecated (inet_fill_ifaddr).
  const isDeprecated = shown?.valid === forever && (message.flags & addressFlags.deprecated) !== 0;
  const lifetime = isDeprecated ? { valid: forever, preferred: 0 } : shown;
  return {
    message: {
      ...rest,
      flags: message.flags & chosenFlags,
      ...(lifetime !== undefined && !isEndless(lifetime) && { lifetime }),
    },
    prefixRoute: (on.flags & linkFlags.up) === 0 || !wantsPrefixRoute(message) || prefixes.has(ownPrefix(message)),
    // Duplicate address detection found another host with the address.
    ...((message.flags & addressFlags.dadFailed) !== 0 && { duplicate: true }),
  };
}

function isEndless({ valid, preferred }: { readonly valid: number; readonly preferred: number }): boolean {
  return valid === forever && preferred === forever;
}

/**
 * Whether the link receives all frames of the link below it, which then cannot be a bridge port
 * (netdev_rx_handler_register).
 */
function receivesAll({ info, linkNetns }: LinkMessage): boolean {
  return linkNetns === undefined && ["macvlan", "macvtap", "ipvlan"].includes(info?.kind ?? "");
}

/** Groups by a link's index. Leaves out what has no index. */
function grouped<T>(list: readonly T[], indexOf: (one: T) => number | undefined): Map<number, T[]> {
  const groups = new Map<number, T[]>();
  for (const one of list) {
    const index = indexOf(one);
    if (index === undefined) continue;
    const group = groups.get(index);
    if (group === undefined) groups.set(index, [one]);
    else group.push(one);
  }
  return groups;
}

/**
 * Groups the routes by the links that they lead out of, and by the link whose address is their
 * preferred source. With that address, the kernel deletes the route of any link
 * (fib_sync_down_addr, rt6_remove_prefsrc).
 */
function routesByLink(
  routes: readonly RouteMessage[],
  addresses: readonly AddressMessage[],
): Map<number, RouteMessage[]> {
  const owners = new Map(
    addresses
      .filter((one) => !isTemporary(one))
      .map(({ family, local, address, index }) => [`${family} ${local ?? address}`, index]),
  );
  const groups = new Map<number, RouteMessage[]>();
  for (const route of routes) {
    const { family, oif, hops, preferredSource } = route;
    const indexes = new Set([oif, ...(hops ?? []).map((hop) => hop.index)]);
    if (preferredSource !== undefined) indexes.add(owners.get(`${family} ${preferredSource}`));
    for (const index of indexes) {
      if (index === undefined) continue;
      const group = groups.get(index);
      if (group === undefined) groups.set(index, [route]);
      else group.push(route);
    }
  }
  return groups;
}

/**
 * Returns the routes in an order in which they can be added: the routes to gateways come first, and
 * narrow ones before wide ones.
 */
function inOrder(routes: readonly KernelRoute[]): KernelRoute[] {
  const rank = ({ gateway, via, hops, destinationLength }: KernelRoute): number =>
    (gateway === undefined && via === undefined && hops === undefined ? 0 : 1000) - destinationLength;
  return [...routes].sort((one, other) => rank(one) - rank(other));
}

function withoutIndex({ index: _, ...message }: NeighborMessage): Neighbor {
  return message;
}

function tapOf({ info }: LinkMessage): ObservedTap | undefined {
  if (info?.kind !== "tun" || info.data?.type !== iffTap) return undefined;
  const { owner, group, multiQueue = false } = info.data;
  return { ...(owner !== undefined && { owner }), ...(group !== undefined && { group }), multiQueue };
}

function portOf(
  { info }: LinkMessage,
  vlans: readonly PortVlan[] = [],
  stations: readonly string[] = [],
): PortSettings {
  const settings = info?.slaveKind === "bridge" ? info.slaveData : undefined;
  return { learning: settings?.learning ?? true, isolated: settings?.isolated ?? false, vlans, stations };
}

function isFiltering({ info }: LinkMessage): boolean {
  return info?.kind === "bridge" && info.data?.vlanFiltering === true;
}

/** Plans add forwarding entries for stations behind these links only. */
function isBridgedMacvlan({ info, master }: LinkMessage): boolean {
  return info?.kind === "macvlan" && master !== undefined;
}

function stationsByPort(rtnl: Netlink): Map<number, string[]> {
  const found = new Map<number, string[]>();
  const isStation = ({ mac, master, state }: NeighborMessage): boolean =>
    mac !== undefined && master !== undefined && (state & neighborStates.noArp) !== 0;
  for (const { index, mac = "" } of rtnl.dump(forwarding, {}, isStation)) {
    const stations = found.get(index);
    if (stations === undefined) found.set(index, [mac]);
    else stations.push(mac);
  }
  return found;
}

function vlansByPort(rtnl: Netlink): Map<number, readonly PortVlan[]> {
  const ports = rtnl.dump(bridgePort, { extMask: linkExtras.vlanRanges });
  return new Map(ports.map(({ index, afSpec }) => [index, afSpec?.vlans ?? []]));
}
