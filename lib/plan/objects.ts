// Constructors for what a plan contains: no author writes a message of rtnetlink, or a `from`.
import { defined } from "../defined.ts";
import { FactError } from "../fact.ts";
import { families } from "../netlink/message.ts";
import { neighborFlags, neighborStates } from "../netlink/route/neighbor.ts";
import { routeFlags } from "../netlink/route/route.ts";
import type { SetLink, SetSysctl } from "./change.ts";
import { routeTypes } from "./keys.ts";
import { mainTable, protocols } from "./normal-route.ts";
import type { Address, KernelRoute, LinkSettings, Neighbor, ObservedLink, State } from "./state.ts";

/** RT_SCOPE_UNIVERSE and RT_SCOPE_LINK of <linux/rtnetlink.h>. */
const scopes = { universe: 0, link: 253 } as const;

/** The words of `ip route add`. */
export interface RouteOptions {
  /** Such as `10.1.0.0/16`, `10.1.0.7`, `0.0.0.0/0` or `::/0`. */
  readonly to: string;
  /** The gateway. Absent: the destination is on the link. */
  readonly via?: string;
  /** The link. Default: the link whose `routes` contain the route. */
  readonly on?: Pick<ObservedLink, "index">;
  readonly metric?: number;
  readonly table?: number;
  /** The source address of packets that the pod sends. */
  readonly source?: string;
  /** The largest packet, in bytes. */
  readonly mtu?: number;
  /** Whether the gateway is reached although no route leads to it. */
  readonly onLink?: boolean;
}

/** `ip route add` equivalent. */
export function route({ to, via, on, metric, table, source, mtu, onLink }: RouteOptions): KernelRoute {
  const { family, address, length } = prefixOf(to);
  const isOther = via !== undefined && via.includes(":") !== to.includes(":");
  const isDirect = via === undefined && family === families.ipv4;
  return {
    family,
    destinationLength: length,
    sourceLength: 0,
    tos: 0,
    table: table ?? mainTable,
    protocol: protocols.static,
    scope: isDirect ? scopes.link : scopes.universe,
    type: routeTypes.unicast,
    flags: onLink === true ? routeFlags.onLink : 0,
    ...defined({
      destination: length === 0 ? undefined : address,
      oif: on?.index,
      gateway: isOther ? undefined : via,
      via: isOther ? { family: prefixOf(via).family, address: via } : undefined,
      metric,
      preferredSource: source,
      metrics: mtu === undefined ? undefined : { mtu },
    }),
  };
}

/**
 * `ip address add` equivalent.
 * @param text such as `10.0.0.1/24`. Without a length, the address of one host.
 */
export function address(text: string): Address {
  const { family, address, length } = prefixOf(text);
  return {
    message: { family, prefixLength: length, scope: scopes.universe, flags: 0, local: address, address },
    prefixRoute: true,
  };
}

/** `ip neighbor add … nud permanent` equivalent. */
export function neighbor({ ip, mac }: { readonly ip: string; readonly mac: string }): Neighbor {
  return { family: prefixOf(ip).family, destination: ip, mac, state: neighborStates.permanent, flags: 0, type: 1 };
}

/** `ip neighbor add proxy` equivalent. */
export function proxyNeighbor(ip: string): Neighbor {
  return { family: prefixOf(ip).family, destination: ip, state: 0, flags: neighborFlags.proxy, type: 1 };
}

function prefixOf(text: string): { family: number; address: string; length: number } {
  const [address = "", length] = text.split("/");
  const isIpv6 = address.includes(":");
  const family = isIpv6 ? families.ipv6 : families.ipv4;
  return { family, address, length: length === undefined ? (isIpv6 ? 128 : 32) : Number(length) };
}

/**
 * Changes a link that was observed. What `settings` does not contain stays as it is.
 *
 * A list replaces the link's list: `{ routes: [...link.routes, route({ to, via })] }` adds a route.
 */
export function changed(link: ObservedLink, settings: Partial<LinkSettings>): SetLink {
  const from = settingsOf(link);
  const { ipv6Mtu, ...to } = { ...from, ...settings };
  // The kernel keeps the MTU of IPv6 at or below the link's.
  const isPossible = ipv6Mtu !== undefined && ipv6Mtu <= to.mtu;
  return { do: "set", index: link.index, from, to: isPossible ? { ...to, ipv6Mtu } : to };
}

/** Returns what a plan may change about a link. */
export function settingsOf(link: ObservedLink): LinkSettings {
  const { name, mac, mtu, up, master, ipv6, ipv6Mtu, port, addresses, routes, neighbors } = link;
  return { name, mtu, up, addresses, routes, neighbors, ...defined({ mac, master, ipv6, ipv6Mtu, port }) };
}

/**
 * Writes a sysctl that was observed.
 * @throws FactError if the state does not contain the sysctl
 */
export function sysctl(key: string, to: string, { sysctls }: State): SetSysctl {
  const from = sysctls[key];
  if (from === undefined) throw new FactError(key, "was not observed; name it in the scope of observe");
  return { do: "sysctl", key, from, to };
}
