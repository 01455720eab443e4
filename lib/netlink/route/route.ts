// Routes: <linux/rtnetlink.h>. `ip route`.
import { attrs, nothing } from "../attributes.ts";
import { malformed } from "../errors.ts";
import { type Message, message } from "../message.ts";
import { ipAddress, s32, string, struct, u8, u16, u32 } from "../scalars.ts";
import { type Codec, reserve, type Scalar, type ValueOf } from "../wire.ts";

/** RTNH_F_PERVASIVE and RTNH_F_ONLINK: the flags that a request may set on a route or a hop. */
export const routeFlags = { pervasive: 0x2, onLink: 0x4 } as const;

const settableFlags = routeFlags.pervasive | routeFlags.onLink;

/**
 * Flags without those that report the kernel's state (dead, link down, offloaded, ...): the kernel
 * refuses some of them in a request.
 */
function settable(flags: Scalar<number>): Scalar<number> {
  return { ...flags, read: (from, at) => flags.read(from, at) & settableFlags };
}

/** RT_TABLE_COMPAT: the header's value if the number of the table does not fit the header. */
const table: Scalar<number> = { ...u8, write: (to, at, value) => u8.write(to, at, value > 0xff ? 252 : value) };

/** struct rtmsg. */
const header = struct({
  family: u8,
  destinationLength: u8,
  sourceLength: u8,
  tos: u8,
  /** RT_TABLE_*: 254 main, 255 local. */
  table,
  /**
   * RTPROT_* of the process that created it: 2 kernel, 3 boot, 4 static, 9 router advertisements.
   */
  protocol: u8,
  /** RT_SCOPE_*: 0 universe, 253 link, 254 host. */
  scope: u8,
  /**
   * RTN_*: 1 unicast, 2 local, 3 broadcast, 5 multicast, 6 blackhole, 7 unreachable, 8 prohibit.
   */
  type: u8,
  /** See `routeFlags`. */
  flags: settable(u32),
});

/** RTAX_*. */
const metrics = attrs({
  lock: [1, u32],
  mtu: [2, u32],
  advmss: [8, u32],
  hopLimit: [10, u32],
  congestionControl: [16, string],
});

/** struct rtvia: a gateway of another family than the route's. */
const via: Codec<{ readonly family: number; readonly address: string }> = {
  decode(from, start, end) {
    if (end - start < 2) throw malformed(`${end - start} bytes, expected 6 or 18`);
    return { family: u16.read(from, start), address: ipAddress.decode(from, start + 2, end) };
  },
  encode(to, { family, address }) {
    u16.encode(to, family);
    ipAddress.encode(to, address);
  },
};

/** struct rtnexthop. */
const hopHeader = struct({
  /** The length of the hop with its attributes. */
  length: u16,
  flags: settable(u8),
  /** One less than the weight. */
  extraWeight: u8,
  index: s32,
});
const hopAttributes = attrs({ gateway: [5, ipAddress], realm: [11, u32], via: [18, via] });

/** A hop of a multipath route. `index` is the index of its link. */
export type Hop = Omit<ValueOf<typeof hopHeader>, "length"> & ValueOf<typeof hopAttributes>;

/** RTA_MULTIPATH: a list of hops, each with its length at the beginning, like an attribute. */
const hops: Codec<readonly Hop[]> = {
  decode(from, start, end) {
    const list: Hop[] = [];
    for (let at = start; at < end; ) {
      if (end - at < hopHeader.size) throw malformed(`${end - at} bytes after the last hop`);
      const { length, ...hop } = hopHeader.read(from, at);
      if (length < hopHeader.size || length > end - at)
        throw malformed(`a hop is ${length} bytes long, expected ${hopHeader.size} to ${end - at}`);
      list.push(hopAttributes.decode(from, at + hopHeader.size, at + length, hop as Hop) as Hop);
      at += (length + 3) & ~3;
    }
    return list;
  },
  encode(to, value) {
    for (const hop of value) {
      const start = reserve(to, hopHeader.size);
      hopAttributes.encode(to, hop);
      hopHeader.write(to, start, { ...hop, length: to.length - start });
    }
  },
};

/** struct rta_cacheinfo. Only the remaining time is kept: in 1/100 s, 0 means infinite. */
const timeLeft: Codec<number | undefined> = {
  decode(from, start, end) {
    if (end - start < 12) throw malformed(`${end - start} bytes, expected 12 or more`);
    const ticks = from.words[(start + 8) >> 2]! | 0;
    return ticks > 0 ? Math.ceil(ticks / 100) : undefined;
  },
  encode: nothing,
};

/** RTA_*. */
const attributes = attrs(
  {
    destination: [1, ipAddress],
    source: [2, ipAddress],
    iif: [3, u32],
    /** The index of the outgoing link. A multipath route has `hops` instead. */
    oif: [4, u32],
    gateway: [5, ipAddress],
    metric: [6, u32],
    preferredSource: [7, ipAddress],
    metrics: [8, metrics],
    hops: [9, hops],
    realm: [11, u32],
    /** The full value, because the header's field is too narrow. */
    table: [15, u32],
    mark: [16, u32],
    /** A gateway of another family. */
    via: [18, via],
    /** ICMPV6_ROUTER_PREF_*: 0 medium, 1 high, 3 low. */
    preference: [20, u8],
    /** The seconds after which the kernel deletes the route (IPv6). It counts down. */
    expires: [23, u32],
    /**
     * A nexthop object. In a request the kernel accepts it only without `oif`, `gateway` and
     * `hops`, although it reports all of them.
     */
    nexthop: [30, u32],
  },
  { expires: [12, timeLeft] },
);

export type RouteMessage = ValueOf<typeof header> & ValueOf<typeof attributes>;

/** RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE. */
export const route: Message<RouteMessage> = message(
  "routes",
  { new: 24, delete: 25, get: 26, set: 24 },
  { header, attributes },
);
