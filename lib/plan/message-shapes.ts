// The shape of each message of rtnetlink in a record: an object of a link.
import type { AddressMessage } from "../netlink/route/address.ts";
import type { NeighborMessage } from "../netlink/route/neighbor.ts";
import type { RouteMessage } from "../netlink/route/route.ts";
import { count, fields, listOf, of, optional, type Shapes, text } from "./shape.ts";

/** Attributes that no table names: their types, and their payloads in hex. */
const rest = optional(
  listOf(listOf(of((part) => typeof part === "string" || typeof part === "number", "a type or hex"))),
);

const lifetime = fields({ preferred: count, valid: count });

export const addressShapes: Shapes<Omit<AddressMessage, "index">> = {
  family: count,
  prefixLength: count,
  flags: count,
  scope: count,
  address: optional(text),
  local: optional(text),
  label: optional(text),
  broadcast: optional(text),
  anycast: optional(text),
  lifetime: optional(lifetime),
  multicast: optional(text),
  routePriority: optional(count),
  protocol: optional(count),
  rest,
};

const gateway = fields({ family: count, address: text });

export const routeShapes: Shapes<RouteMessage> = {
  family: count,
  destinationLength: count,
  sourceLength: count,
  tos: count,
  table: count,
  protocol: count,
  scope: count,
  type: count,
  flags: count,
  destination: optional(text),
  source: optional(text),
  iif: optional(count),
  oif: optional(count),
  gateway: optional(text),
  metric: optional(count),
  preferredSource: optional(text),
  metrics: optional(
    fields({
      lock: optional(count),
      mtu: optional(count),
      advmss: optional(count),
      hopLimit: optional(count),
      congestionControl: optional(text),
      rest,
    }),
  ),
  hops: optional(
    listOf(
      fields({
        flags: count,
        extraWeight: count,
        index: count,
        gateway: optional(text),
        realm: optional(count),
        via: optional(gateway),
        rest,
      }),
    ),
  ),
  realm: optional(count),
  mark: optional(count),
  via: optional(gateway),
  preference: optional(count),
  expires: optional(count),
  nexthop: optional(count),
  rest,
};

export const neighborShapes: Shapes<Omit<NeighborMessage, "index">> = {
  family: count,
  state: count,
  flags: count,
  type: count,
  destination: optional(text),
  mac: optional(text),
  vlan: optional(count),
  port: optional(count),
  vni: optional(count),
  ifindex: optional(count),
  master: optional(count),
  protocol: optional(count),
  extendedFlags: optional(count),
  rest,
};
