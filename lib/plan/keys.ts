// Keys of addresses, routes and neighbours, as text. Two objects with the same key are equal: what
// the kernel fills in by itself does not count. Two objects with the same identity exclude each
// other.
import { networkOf } from "../net/ip.ts";
import { families } from "../netlink/message.ts";
import type { Hop, RouteMessage } from "../netlink/route/route.ts";
import type { Address, KernelRoute, Neighbor, PortSettings } from "./state.ts";

/** IP6_RT_PRIO_USER of <linux/ipv6_route.h>: the metric of an IPv6 route without one. */
export const ipv6Metric = 1024;

/** RTN_UNICAST and RTN_LOCAL: the types of routes that lead out of a link. */
export const routeTypes = { unicast: 1, local: 2 } as const;

/**
 * By local address, peer and prefix, and by what a restored address may still lack: its flags, its
 * scope, and whether the kernel's route is there.
 */
export function addressKey({ message, prefixRoute }: Address): string {
  const { family, local, address, prefixLength, scope, flags } = message;
  const own = local ?? address;
  return `${family} ${own} ${address ?? own}/${prefixLength} scope ${scope} flags ${flags} ${prefixRoute}`;
}

/**
 * A link has one address of an identity: net/ipv4/devinet.c (find_matching_ifa),
 * net/ipv6/addrconf.c (inet6_rtm_newaddr).
 */
export function addressIdentity({ message }: Address): string {
  const { family, local, address, prefixLength } = message;
  const own = local ?? address;
  if (family === families.ipv6) return `address ${family} ${own}`;
  return `address ${family} ${own} ${networkOf(address ?? own ?? "", prefixLength)}/${prefixLength}`;
}

/**
 * By table, prefixes, TOS, metric, type, source, nexthops, metrics and preference.
 *
 * @param index the link of a route that does not name one
 */
export function routeKey(route: KernelRoute, index?: number): string {
  const { type, nexthop, preferredSource, preference = 0, metrics } = route;
  const { oif, gateway, via, hops, flags } = leadingOut(route, index);
  const way =
    nexthop !== undefined
      ? `nexthop ${nexthop}`
      : [{ index: oif, gateway, via, flags, extraWeight: 0 }, ...(hops ?? [])].map(hopKey).join(", ");
  return `${routeIdentity(route)} ${type} src ${preferredSource} pref ${preference} ${metricsKey(metrics)} ${way}`;
}

/**
 * The kernel adds one route of an identity: net/ipv4/fib_trie.c (fib_table_insert),
 * net/ipv6/ip6_fib.c (fib6_add_rt2node).
 */
export function routeIdentity(route: KernelRoute): string {
  const { family, table, tos, destination, destinationLength, source, sourceLength } = route;
  const metric = route.metric || (family === families.ipv6 ? ipv6Metric : 0);
  const to = destinationLength === 0 ? "default" : `${destination}/${destinationLength}`;
  const from = sourceLength === 0 ? "" : ` from ${source}/${sourceLength}`;
  return `route ${family} ${to}${from} table ${table} tos ${tos} metric ${metric}`;
}

/**
 * Returns the route with the index of its link, if the route itself names neither link nor nexthop.
 */
export function leadingOut(route: KernelRoute, index: number | undefined): KernelRoute {
  const { oif, hops, nexthop, type } = route;
  if (index === undefined || oif !== undefined || nexthop !== undefined) return route;
  if (hops !== undefined) return { ...route, hops: hops.map((hop) => (hop.index === 0 ? { ...hop, index } : hop)) };
  return type === routeTypes.unicast || type === routeTypes.local ? { ...route, oif: index } : route;
}

/** A hop, or a route that has only one. */
interface Way {
  readonly index?: number | undefined;
  readonly gateway?: string | undefined;
  readonly via?: Hop["via"] | undefined;
  readonly flags: number;
  readonly extraWeight: number;
}

function hopKey({ index, gateway, via, flags, extraWeight }: Way): string {
  return `${index} ${gateway} ${via?.address} flags ${flags} weight ${extraWeight}`;
}

function metricsKey({
  lock,
  mtu,
  advmss,
  hopLimit,
  congestionControl,
}: NonNullable<RouteMessage["metrics"]> = {}): string {
  return `lock ${lock} mtu ${mtu} advmss ${advmss} hops ${hopLimit} ${congestionControl}`;
}

/** By destination, MAC address, flags and state: net/core/neighbour.c (neigh_add). */
export function neighborKey(neighbor: Neighbor): string {
  return `${neighborIdentity(neighbor)} ${neighbor.flags} ${neighbor.mac} ${neighbor.state}`;
}

/** A link has one entry, and one proxy entry (NTF_PROXY), of a destination. */
export function neighborIdentity({ family, destination, flags }: Neighbor): string {
  return `neighbor ${family} ${destination} ${flags & 0x8}`;
}

/** Whether two ports have the same settings. */
export function isSamePort(one: PortSettings | undefined, other: PortSettings | undefined): boolean {
  return portKey(one) === portKey(other);
}

function portKey(port: PortSettings | undefined): string {
  if (port === undefined) return "";
  const { learning, isolated, vlans, stations } = port;
  const ranges = vlans.map(({ first, last, pvid, untagged }) => `${first}-${last} ${pvid} ${untagged}`);
  return [learning, isolated, ...ranges, ...stations].join(", ");
}

/** Compares lists of objects. Each list is read once. */
export class Comparison<T> {
  readonly #key: (one: T) => string;
  readonly #identity: (one: T) => string;
  readonly #from: ReadonlyMap<string, T>;
  readonly #to: ReadonlyMap<string, T>;
  readonly #observed: ReadonlyMap<string, T>;

  /**
   * From one state to another, while `observed` is anywhere between them.
   *
   * @param identity by which an object is found that was added in several steps, and not completely
   */
  constructor(
    [key, identity]: readonly [key: (one: T) => string, identity: (one: T) => string],
    [from, to, observed]: readonly [from: readonly T[], to: readonly T[], observed: readonly T[]],
  ) {
    const byKey = (list: readonly T[]): Map<string, T> => new Map(list.map((one) => [key(one), one]));
    this.#key = key;
    this.#identity = identity;
    this.#from = byKey(from);
    this.#to = byKey(to);
    this.#observed = byKey(observed);
  }

  /** Returns the objects to remove, as the kernel shows them, in the order of `from`. */
  leaving(): T[] {
    const gone = [...this.#from].filter(([key]) => !this.#to.has(key));
    if (gone.length === 0) return [];
    const observed = new Map([...this.#observed.values()].map((one) => [this.#identity(one), one]));
    return gone.flatMap(([, one]) => {
      const found = observed.get(this.#identity(one));
      return found === undefined || this.#to.has(this.#key(found)) ? [] : [found];
    });
  }

  /**
   * Returns the objects that stay, but must be added again after a flush, in the order of `to`.
   *
   * @param down whether the flush is still to come
   */
  flushed(down: boolean): T[] {
    return [...this.#to.values()].filter((one) => {
      const key = this.#key(one);
      const isObserved = this.#observed.has(key);
      return down ? isObserved || this.#from.has(key) : !isObserved && this.#from.has(key);
    });
  }

  /** Returns the objects to add, in the order of `to`. */
  missing(): T[] {
    return [...this.#to.values()].filter((one) => {
      const key = this.#key(one);
      return !this.#from.has(key) && !this.#observed.has(key);
    });
  }
}

/** Returns the expected objects that are not observed. */
export function absent<T>(key: (one: T) => string, expected: readonly T[], observed: readonly T[]): T[] {
  if (expected.length === 0) return [];
  const there = new Set(observed.map(key));
  return expected.filter((one) => !there.has(key(one)));
}
