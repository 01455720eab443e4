// Compares the requests that iproute2 sends for its commands with ours for the same change.
import t from "tap";
import { Netlink } from "../../../lib/netlink/client.ts";
import { type Body, families, type Message } from "../../../lib/netlink/message.ts";
import { address, addressFlags } from "../../../lib/netlink/route/address.ts";
import { bridgePort } from "../../../lib/netlink/route/bridge.ts";
import { link } from "../../../lib/netlink/route/link.ts";
import { linkFlags } from "../../../lib/netlink/route/link-header.ts";
import { forwarding, neighbor, neighborFlags, neighborStates } from "../../../lib/netlink/route/neighbor.ts";
import { route, routeFlags } from "../../../lib/netlink/route/route.ts";
import { captures, decode, hexOf } from "./captures.ts";

const { ipv4, ipv6 } = families;
const { requests } = captures[0]!;
/** The links' indices when capture.py ran the commands. */
const [lo, e1, e0, br1, v1, v0] = [1, 5, 6, 8, 9, 10] as const;
const up = { flags: linkFlags.up, change: linkFlags.up };
/**
 * RT_SCOPE_LINK, RT_SCOPE_HOST, RT_SCOPE_NOWHERE.
 *
 * iproute2 sends RT_SCOPE_NOWHERE if any scope matches.
 */
const scopes = { link: 253, host: 254, nowhere: 255 };
/** Type RTN_UNICAST, table RT_TABLE_MAIN, protocol RTPROT_BOOT. */
const inet = { family: ipv4, table: 254, protocol: 3, scope: 0, type: 1 };
const inet6 = { ...inet, family: ipv6 };

type Verb = "create" | "replace" | "set" | "delete";

interface Case {
  readonly verb: Verb;
  readonly message: Message<unknown>;
  readonly body: Body<unknown>;
  readonly exact: boolean;
}

/**
 * A case in which our request equals iproute2's byte for byte, except for NLA_F_NESTED.
 *
 * iproute2 omits NLA_F_NESTED if the kernel does not require it.
 * The body lists the attributes in iproute2's order.
 */
function exactly<T>(verb: Verb, message: Message<T>, body: Body<T>): Case {
  return { verb, message: message as Message<unknown>, body, exact: true };
}

/**
 * A case in which our request has other bytes than iproute2's but the same meaning.
 *
 * iproute2 writes kinds without a NUL.
 * It writes a table or flags only in the header if they fit there.
 */
function alike<T>(verb: Verb, message: Message<T>, body: Body<T>): Case {
  return { ...exactly(verb, message, body), exact: false };
}

function vlans(first: number, last: number, marks: { pvid?: boolean; untagged?: boolean } = {}) {
  return { index: v0, afSpec: { vlans: [{ first, last, pvid: false, untagged: false, ...marks }] } };
}

const cases: Record<string, Case> = {
  "ip link add d0 address 02:00:00:00:00:01 mtu 1400 type dummy": alike("create", link, {
    mac: "02:00:00:00:00:01",
    mtu: 1400,
    name: "d0",
    info: { kind: "dummy" },
  }),
  "ip link add br0 type bridge vlan_filtering 1 vlan_default_pvid 0 mcast_snooping 0 forward_delay 400": alike(
    "create",
    link,
    {
      name: "br0",
      info: {
        kind: "bridge",
        data: { vlanFiltering: true, defaultPvid: 0, multicastSnooping: false, forwardDelay: 400 },
      },
    },
  ),
  "ip link add mv0 link e1 type macvlan mode bridge": alike("create", link, {
    link: e1,
    name: "mv0",
    info: { kind: "macvlan", data: { mode: 4 } },
  }),
  "ip link add vl0 link e1 type vlan id 7 protocol 802.1ad": alike("create", link, {
    link: e1,
    name: "vl0",
    info: { kind: "vlan", data: { id: 7, protocol: 0x88a8 } },
  }),
  "ip link add iv0 link v1 type ipvlan mode l2": alike("create", link, {
    link: v1,
    name: "iv0",
    info: { kind: "ipvlan", data: { mode: 0, flags: 0 } },
  }),
  "ip link set lo up": exactly("set", link, { index: lo, ...up }),
  "ip link set dev v0 master br1": exactly("set", link, { index: v0, master: br1 }),
  "ip link set dev e0 name renamed": exactly("set", link, { index: e0, name: "renamed" }),
  "ip link set dev e0 addrgenmode none": exactly("set", link, {
    index: e0,
    afSpec: { ipv6: { addressGeneration: 1 } },
  }),
  "bridge link set dev v0 isolated on learning off": exactly("set", bridgePort, {
    index: v0,
    settings: { learning: false, isolated: true },
  }),
  "bridge vlan add dev v0 vid 10-20": exactly("set", bridgePort, vlans(10, 20)),
  "bridge vlan add dev v0 vid 5 pvid untagged": exactly("set", bridgePort, vlans(5, 5, { pvid: true, untagged: true })),
  "bridge vlan add dev v0 vid 4000": exactly("set", bridgePort, vlans(4000, 4000)),
  "bridge vlan del dev v0 vid 15": exactly("delete", bridgePort, vlans(15, 15)),
  "bridge fdb add 02:00:00:00:00:09 dev v0 master static": exactly("create", forwarding, {
    index: v0,
    state: neighborStates.noArp | neighborStates.reachable,
    flags: neighborFlags.master,
    mac: "02:00:00:00:00:09",
  }),
  "ip link del vx0": exactly("delete", link, { index: 14 }),

  "ip address add 10.0.0.2/24 brd + dev e0 label e0:one": exactly("create", address, {
    family: ipv4,
    prefixLength: 24,
    index: e0,
    local: "10.0.0.2",
    label: "e0:one",
    address: "10.0.0.2",
    broadcast: "10.0.0.255",
  }),
  "ip address add 10.0.0.3 peer 10.0.9.9/32 dev e0": exactly("create", address, {
    family: ipv4,
    prefixLength: 32,
    index: e0,
    local: "10.0.0.3",
    address: "10.0.9.9",
  }),
  "ip address add 10.0.1.2/24 dev e0 valid_lft 3600 preferred_lft 1800 noprefixroute": exactly("create", address, {
    family: ipv4,
    prefixLength: 24,
    index: e0,
    local: "10.0.1.2",
    flags: addressFlags.noPrefixRoute,
    address: "10.0.1.2",
    lifetime: { preferred: 1800, valid: 3600 },
  }),
  "ip address add 10.0.2.2/24 dev e0 metric 500": exactly("create", address, {
    family: ipv4,
    prefixLength: 24,
    index: e0,
    local: "10.0.2.2",
    routePriority: 500,
    address: "10.0.2.2",
  }),
  "ip address add fd00::2/64 dev e0 nodad": alike("create", address, {
    family: ipv6,
    prefixLength: 64,
    index: e0,
    local: "fd00::2",
    address: "fd00::2",
    flags: addressFlags.noDad,
  }),
  "ip address add fd00:1::2/64 dev e0 nodad noprefixroute valid_lft 3600 preferred_lft 1800": alike("create", address, {
    family: ipv6,
    prefixLength: 64,
    index: e0,
    local: "fd00:1::2",
    address: "fd00:1::2",
    flags: addressFlags.noDad | addressFlags.noPrefixRoute,
    lifetime: { preferred: 1800, valid: 3600 },
  }),
  "ip address add 192.168.0.1/32 dev lo scope host": exactly("create", address, {
    family: ipv4,
    prefixLength: 32,
    scope: scopes.host,
    index: lo,
    local: "192.168.0.1",
    address: "192.168.0.1",
  }),
  "ip address del 10.0.2.2/24 dev e0": exactly("delete", address, {
    family: ipv4,
    prefixLength: 24,
    index: e0,
    local: "10.0.2.2",
    address: "10.0.2.2",
  }),

  "ip route add default via 10.0.0.1 mtu 1300 advmss 1200": alike("create", route, {
    ...inet,
    gateway: "10.0.0.1",
    metrics: { mtu: 1300, advmss: 1200 },
  }),
  "ip route replace default via 10.0.0.1 mtu 1300 advmss 1200": alike("replace", route, {
    ...inet,
    gateway: "10.0.0.1",
    metrics: { mtu: 1300, advmss: 1200 },
  }),
  "ip route add 10.5.0.0/16 nexthop via 10.0.0.1 dev e0 weight 3 nexthop via 10.0.0.254 dev e0 onlink": alike(
    "create",
    route,
    {
      ...inet,
      destinationLength: 16,
      destination: "10.5.0.0",
      hops: [
        { flags: 0, extraWeight: 2, index: e0, gateway: "10.0.0.1" },
        { flags: routeFlags.onLink, extraWeight: 0, index: e0, gateway: "10.0.0.254" },
      ],
    },
  ),
  "ip route add 10.6.0.0/16 via inet6 fd00::1 dev e0": alike("create", route, {
    ...inet,
    destinationLength: 16,
    destination: "10.6.0.0",
    via: { family: ipv6, address: "fd00::1" },
    oif: e0,
  }),
  "ip route add 10.7.0.0/16 via 10.0.0.1 table 1000 src 10.0.0.2 proto static metric 9": alike("create", route, {
    ...inet,
    protocol: 4,
    destinationLength: 16,
    destination: "10.7.0.0",
    gateway: "10.0.0.1",
    table: 1000,
    preferredSource: "10.0.0.2",
    metric: 9,
  }),
  "ip route add 10.7.1.0/24 dev e0 mtu lock 1280 congctl reno": alike("create", route, {
    ...inet,
    scope: scopes.link,
    destinationLength: 24,
    destination: "10.7.1.0",
    oif: e0,
    metrics: { mtu: 1280, congestionControl: "reno", lock: 1 << 2 },
  }),
  "ip route add 10.7.2.0/24 dev e0 scope link tos 0x10 realm 4": alike("create", route, {
    ...inet,
    scope: scopes.link,
    tos: 0x10,
    destinationLength: 24,
    destination: "10.7.2.0",
    realm: 4,
    oif: e0,
  }),
  "ip route add 192.0.2.1 via 203.0.113.1 dev e0 onlink": alike("create", route, {
    ...inet,
    flags: routeFlags.onLink,
    destinationLength: 32,
    destination: "192.0.2.1",
    gateway: "203.0.113.1",
    oif: e0,
  }),
  "ip route add blackhole 10.8.0.0/16": alike("create", route, {
    ...inet,
    type: 6,
    destinationLength: 16,
    destination: "10.8.0.0",
  }),
  "ip route add throw 10.8.1.0/24 table 77": alike("create", route, {
    ...inet,
    type: 9,
    table: 77,
    destinationLength: 24,
    destination: "10.8.1.0",
  }),
  "ip route del 10.7.1.0/24": alike("delete", route, {
    ...inet,
    protocol: 0,
    type: 0,
    scope: scopes.nowhere,
    destinationLength: 24,
    destination: "10.7.1.0",
  }),
  "ip -6 route add default via fd00::1 dev e0 pref high": alike("create", route, {
    ...inet6,
    destination: "::",
    gateway: "fd00::1",
    preference: 1,
    oif: e0,
  }),
  "ip -6 route add fd05::/64 via fd00::1 dev e0 expires 600 metric 7": alike("create", route, {
    ...inet6,
    destinationLength: 64,
    destination: "fd05::",
    gateway: "fd00::1",
    expires: 600,
    metric: 7,
    oif: e0,
  }),
  "ip -6 route add unreachable fd07::/64": alike("create", route, {
    ...inet6,
    type: 7,
    destinationLength: 64,
    destination: "fd07::",
  }),

  "ip neighbor add 10.0.0.1 lladdr 02:00:00:00:00:fe dev e0 nud permanent": exactly("create", neighbor, {
    family: ipv4,
    index: e0,
    state: neighborStates.permanent,
    destination: "10.0.0.1",
    mac: "02:00:00:00:00:fe",
  }),
  "ip neighbor add fd00::1 lladdr 02:00:00:00:00:fe dev e0 nud permanent router": exactly("create", neighbor, {
    family: ipv6,
    index: e0,
    state: neighborStates.permanent,
    flags: neighborFlags.router,
    destination: "fd00::1",
    mac: "02:00:00:00:00:fe",
  }),
  "ip neighbor del 10.0.0.77 dev e0": exactly("delete", neighbor, {
    family: ipv4,
    index: e0,
    state: neighborStates.permanent,
    destination: "10.0.0.77",
  }),
};

/** Returns the datagram that the client sends for a case. The client gets no answer. */
function sent({ verb, message, body }: Case): Buffer {
  let datagram: Uint8Array | undefined;
  const rtnl = new Netlink({
    send: (bytes) => {
      datagram = bytes;
    },
    receive: () => {
      throw new Error("no answer");
    },
    close: () => undefined,
  });
  t.throws(() => rtnl[verb](message, body, "it"), /no answer/);
  return Buffer.from(datagram!);
}

for (const [command, one] of Object.entries(cases)) {
  t.test(`${command} sends ${one.exact ? "the same bytes" : "the same request"} as iproute2`, (t) => {
    const ours = sent(one);
    const theirs = Buffer.from(requests[command]!, "hex");
    t.equal(ours.readUInt32LE(0), ours.length);
    t.strictSame(
      { type: ours.readUInt16LE(4), flags: ours.readUInt16LE(6) },
      { type: theirs.readUInt16LE(4), flags: theirs.readUInt16LE(6) },
    );
    if (one.exact) {
      for (const [at, byte] of ours.entries())
        if (at % 4 === 3 && byte === (theirs[at]! | 0x80)) ours[at] = theirs[at]!;
      t.equal(hexOf(ours.subarray(16)), hexOf(theirs.subarray(16)));
    } else t.strictSame(meant(one.message, ours), meant(one.message, theirs));
    t.end();
  });
}

/**
 * Returns a request's meaning.
 *
 * A table in the header and a table in an attribute decode to the same value.
 */
function meant(message: Message<unknown>, request: Buffer): unknown {
  return decode(message, request.subarray(16));
}
