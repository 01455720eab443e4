// What identifies an address, a route and a neighbour to the kernel, as text: two of them with the
// same key are the same object. What the kernel fills in by itself does not count.
import { families } from "../netlink/message.ts";
import type { Address, KernelRoute, Neighbor, PortSettings } from "./state.ts";

/** IP6_RT_PRIO_USER of <linux/ipv6_route.h>: the metric of an IPv6 route without one. */
const ipv6Metric = 1024;

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
 * By table, prefixes, TOS, metric, type, source and nexthops: net/ipv4/fib_trie.c
 * (fib_table_insert), net/ipv6/ip6_fib.c (fib6_add_rt2node).
 */
export function routeKey(route: KernelRoute): string {
  const { family, table, type, tos, destination, destinationLength, source, sourceLength } = route;
  const {
    metric = family === families.ipv6 ? ipv6Metric : 0,
    preferredSource,
    nexthop,
    oif,
    gateway,
    via,
    hops,
  } = route;
  const way =
    nexthop !== undefined
      ? `nexthop ${nexthop}`
      : [{ index: oif, gateway, via }, ...(hops ?? [])]
          .map((hop) => `${hop.index} ${hop.gateway} ${hop.via?.address}`)
          .join(", ");
  const to = destinationLength === 0 ? "default" : `${destination}/${destinationLength}`;
  const from = sourceLength === 0 ? "" : ` from ${source}/${sourceLength}`;
  return `${family} ${type} ${to}${from} table ${table} tos ${tos} metric ${metric} src ${preferredSource} ${way}`;
}

/** By destination, and whether it is a proxy entry: net/core/neighbour.c (neigh_add). */
export function neighborKey({ family, destination, flags, mac, state }: Neighbor): string {
  return `${family} ${destination} ${flags} ${mac} ${state}`;
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

/** Compares lists of objects by their keys: each list is looked at once. */
export class Comparison<T> {
  readonly #key: (one: T) => string;
  readonly #from: ReadonlyMap<string, T>;
  readonly #to: ReadonlyMap<string, T>;
  readonly #observed: ReadonlyMap<string, T>;

  /** From one state to another, while `observed` is anywhere between them. */
  constructor(key: (one: T) => string, from: readonly T[], to: readonly T[], observed: readonly T[]) {
    const byKey = (list: readonly T[]): Map<string, T> => new Map(list.map((one) => [key(one), one]));
    this.#key = key;
    this.#from = byKey(from);
    this.#to = byKey(to);
    this.#observed = byKey(observed);
  }

  /** Returns what is to be removed, as the kernel shows it, in the order of `from`. */
  leaving(): T[] {
    const found: T[] = [];
    for (const key of this.#from.keys()) {
      const observed = this.#to.has(key) ? undefined : this.#observed.get(key);
      if (observed !== undefined) found.push(observed);
    }
    return found;
  }

  /** Returns what is to be added, in the order of `to`. */
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
