// Spells the routes of a plan as the kernel reports them, as normal.ts does for addresses.

import { defined } from "../defined.ts";
import { families } from "../netlink/message.ts";
import { type Hop, routeFlags } from "../netlink/route/route.ts";
import { ipv6Metric, routeTypes } from "./keys.ts";
import { Fields } from "./refuse.ts";
import type { KernelRoute } from "./state.ts";
import { routeText } from "./words.ts";

/** RT_TABLE_MAIN of <linux/rtnetlink.h>. */
export const mainTable = 254;
/** RTPROT_* of <linux/rtnetlink.h>. */
export const protocols = { kernel: 2, boot: 3, static: 4 } as const;

/** The largest number of 32 bits. */
const maxU32 = 0xffff_ffff;

/** The link that the route is a route of. A link that a plan creates has no index yet. */
export interface RouteLink {
  readonly name: string;
  readonly index?: number;
}

export function normalRoute(link: RouteLink, route: KernelRoute): KernelRoute {
  const { family, destinationLength, sourceLength, table, type, tos, scope, flags, metric, protocol } = route;
  const fields = new Fields(`${link.name}: route ${routeText(route)}`, family);
  const destination = fields.prefix("destination", route.destination, destinationLength);
  const source = fields.prefix("source", route.source, sourceLength);
  checkHeader(fields, route);
  const way = wayOf(fields, link, route);
  const metrics = metricsOf(fields, route);
  const preferredSource = fields.someIp("preferredSource", route.preferredSource);
  const preference = preferenceOf(fields, route);
  return {
    ...{ family, destinationLength, sourceLength, type, tos, flags },
    table: table === 0 ? mainTable : table,
    // rtm_to_fib6_config, rt6_fill_node.
    protocol: fields.isIpv6 && protocol === 0 ? protocols.boot : protocol,
    scope: fields.isIpv6 ? 0 : scope,
    ...defined({
      destination,
      source,
      metric: metric || (fields.isIpv6 ? ipv6Metric : undefined),
      metrics,
      preferredSource,
      preference,
      expires: route.expires,
    }),
    ...way,
  };
}

function checkHeader(fields: Fields, route: KernelRoute): void {
  const { family, sourceLength, table, type, tos, scope, protocol, metric, expires } = route;
  const { iif, mark, realm, nexthop, rest } = route;
  const isIpv6 = family === families.ipv6;
  // The kernel attaches no other types to a link.
  fields.oneOf("type", type, routeTypes.unicast, routeTypes.local);
  if (!isIpv6) fields.upTo(0, "sourceLength", sourceLength);
  fields.upTo(isIpv6 ? 0 : 0xff, "tos", tos);
  if ((tos & 3) !== 0) fields.refuse("tos", tos, "a DSCP: the two lowest bits are 0");
  fields.upTo(0xff, "scope", scope);
  fields.upTo(0xff, "protocol", protocol);
  if (protocol === protocols.kernel) fields.refuse("protocol", protocol, "another one than the kernel's own");
  fields.upTo(maxU32, "table", table);
  fields.upTo(maxU32, "metric", metric);
  // IPv4's routes do not expire, and the kernel ignores it.
  if (expires !== undefined && (!isIpv6 || expires === 0))
    fields.refuse("expires", expires, isIpv6 ? "1 or more" : "no such field here");
  fields.without({ iif, mark, realm, nexthop, rest });
}

/** ICMPV6_ROUTER_PREF_*. */
function preferenceOf(fields: Fields, { preference }: KernelRoute): number | undefined {
  if (!fields.isIpv6) fields.without({ preference });
  else fields.oneOf("preference", preference ?? 0, 0, 1, 3);
  return preference ?? (fields.isIpv6 ? 0 : undefined);
}

type Way = Pick<KernelRoute, "oif" | "gateway" | "via" | "hops" | "flags">;

function wayOf(fields: Fields, link: RouteLink, { flags, oif, gateway, via, hops }: KernelRoute): Way {
  if (hops !== undefined) fields.without({ oif, gateway, via });
  else if (oif !== undefined && oif !== link.index)
    fields.refuse("oif", oif, `${link.index ?? "none"}, the link's index`);
  if (hops === undefined)
    return { flags, ...defined({ oif: link.index }), ...hopOf(fields, defined({ flags, gateway, via })) };
  const all = hops.map((hop, position) => {
    const { flags, extraWeight, index, realm, rest } = hop;
    fields.without({ [`hops[${position}].realm`]: realm, [`hops[${position}].rest`]: rest });
    fields.upTo(0xff, `hops[${position}].extraWeight`, extraWeight);
    const found = hopOf(fields, hop);
    // Only hops with a gateway form one IPv6 route (rt6_qualify_for_ecmp).
    if (fields.isIpv6 && found.gateway === undefined)
      fields.refuse(`hops[${position}].gateway`, undefined, "an address");
    return { flags, extraWeight, index: index === 0 ? (link.index ?? 0) : index, ...found };
  });
  if (all.every(({ index }) => index !== (link.index ?? 0)))
    fields.refuse("hops", hops, `one whose index is ${link.index ?? "0, which is this link"}`);
  if (flags !== 0) fields.refuse("flags", flags, "0, because each hop has its own");
  const [only, ...others] = all as [Hop, ...Hop[]];
  if (others.length > 0) return { flags: 0, hops: all };
  return { flags: only.flags, ...defined({ oif: only.index || undefined, gateway: only.gateway, via: only.via }) };
}

function hopOf(
  fields: Fields,
  { flags, gateway, via }: Pick<KernelRoute, "gateway" | "via"> & { readonly flags: number },
): Pick<KernelRoute, "gateway" | "via"> {
  if (gateway !== undefined) fields.without({ via });
  if (fields.isIpv6) fields.without({ via });
  const isOther = via !== undefined && via.family !== fields.family;
  const direct = fields.someIp("gateway", isOther ? undefined : (gateway ?? via?.address));
  if (fields.isIpv6 && gateway !== undefined && direct === undefined)
    fields.refuse("gateway", gateway, "a host's address");
  fields.oneOf("flags", flags, 0, routeFlags.onLink);
  if (flags !== 0 && direct === undefined && !isOther) fields.refuse("flags", flags, "0 without a gateway");
  const other = isOther ? { family: via.family, address: fields.ip("via", via.address, families.ipv6) } : undefined;
  return defined({ gateway: direct, via: other });
}

/** The kernel clamps larger values, and reports no zeros (ip_metrics_convert). */
function metricsOf(fields: Fields, { metrics }: KernelRoute): KernelRoute["metrics"] {
  const { lock, mtu, advmss, hopLimit, congestionControl, rest } = metrics ?? {};
  fields.without({ "metrics.rest": rest });
  fields.upTo(65_535 - 15, "metrics.mtu", mtu);
  fields.upTo(65_535 - 40, "metrics.advmss", advmss);
  fields.upTo(255, "metrics.hopLimit", hopLimit);
  fields.upTo(maxU32, "metrics.lock", lock);
  const found = defined({
    lock: lock || undefined,
    mtu: mtu || undefined,
    advmss: advmss || undefined,
    hopLimit: hopLimit || undefined,
    congestionControl: congestionControl || undefined,
  });
  return Object.keys(found).length === 0 ? undefined : found;
}
