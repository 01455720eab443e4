// Compares our codecs with a second implementation, the npm package "netlink".

import netlink from "netlink";
import t from "tap";
import { parseIp } from "../../../lib/net/ip.ts";
import { families, type Message } from "../../../lib/netlink/message.ts";
import { type AddressMessage, address } from "../../../lib/netlink/route/address.ts";
import { type LinkMessage, link } from "../../../lib/netlink/route/link.ts";
import { type NeighborMessage, neighbor } from "../../../lib/netlink/route/neighbor.ts";
import { type RouteMessage, route } from "../../../lib/netlink/route/route.ts";
import { fc } from "../../harness/fast-check.ts";
import { captures, decode, encode, payloads, type Shown } from "./captures.ts";

const { AttrStream, rt } = netlink;

/** A message as the package represents it. `data` is the header. */
interface Theirs {
  readonly data: Shown;
  readonly attrs: Shown;
}

const ipBytes = (text: string | undefined): Buffer | undefined =>
  text === undefined ? undefined : Buffer.from(parseIp(text)!);

const macBytes = (text: string | undefined): Buffer | undefined =>
  text === undefined ? undefined : Buffer.from(text.replaceAll(":", ""), "hex");

const wordBytes = (word: number | undefined): Buffer | undefined =>
  word === undefined ? undefined : Buffer.from(Uint32Array.of(word).buffer);

/** Returns the value without undefined fields and with its buffers as hex. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, part]) => (part === undefined ? [] : [[name, plain(part)]])),
  );
}

function addressAsTheirs(message: AddressMessage): Theirs {
  return {
    data: {
      family: message.family,
      prefixlen: message.prefixLength,
      // The header holds only eight flags.
      flags: rt.parseAddressFlags(message.flags & 0xff),
      scope: message.scope,
      index: message.index,
    },
    attrs: {
      address: ipBytes(message.address),
      local: ipBytes(message.local),
      label: message.label,
      broadcast: ipBytes(message.broadcast),
      cacheInfo: message.lifetime && {
        ifaPrefered: message.lifetime.preferred,
        ifaValid: message.lifetime.valid,
        cstamp: 0,
        tstamp: 0,
      },
      flags: rt.parseAddressFlags(message.flags),
      rtPriority: message.routePriority,
    },
  };
}

function linkAsTheirs(message: LinkMessage): Theirs {
  return {
    data: {
      family: message.family,
      __pad: 0,
      type: rt.LinkType[message.type] ?? message.type,
      index: message.index,
      flags: rt.parseDeviceFlags(message.flags),
      change: rt.parseDeviceFlags(message.change),
    },
    attrs: {
      address: macBytes(message.mac),
      ifname: message.name,
      mtu: message.mtu,
      link: wordBytes(message.link),
      master: message.master,
      txqlen: message.queueLength,
      operstate: message.operstate,
      ifalias: message.alias,
      group: message.group,
      numTxQueues: message.txQueues,
      numRxQueues: message.rxQueues,
      minMtu: message.minMtu,
      maxMtu: message.maxMtu,
      permAddress: macBytes(message.permanentMac),
    },
  };
}

function routeAsTheirs(message: RouteMessage): Theirs {
  return {
    data: {
      family: message.family,
      dstLen: message.destinationLength,
      srcLen: message.sourceLength,
      tos: message.tos,
      table: message.table > 255 ? 252 : message.table,
      protocol: rt.RouteProtocol[message.protocol] ?? message.protocol,
      scope: rt.RouteScope[message.scope] ?? message.scope,
      type: rt.RouteType[message.type] ?? message.type,
      flags: rt.parseRouteFlags(message.flags),
    },
    attrs: {
      dst: ipBytes(message.destination),
      src: ipBytes(message.source),
      iif: message.iif,
      oif: message.oif,
      gateway: ipBytes(message.gateway),
      priority: message.metric,
      prefsrc: ipBytes(message.preferredSource),
      flow: message.realm,
      table: message.table,
      mark: wordBytes(message.mark),
      expires: wordBytes(message.expires),
      nhId: wordBytes(message.nexthop),
    },
  };
}

function neighborAsTheirs(message: NeighborMessage): Theirs {
  return {
    data: {
      family: message.family,
      __pad1: 0,
      __pad2: 0,
      ifindex: message.index,
      state: rt.parseNeighborState(message.state),
      flags: rt.parseNeighborFlags(message.flags),
      type: message.type,
    },
    attrs: {
      dst: ipBytes(message.destination),
      lladdr: macBytes(message.mac),
      vlan: message.vlan,
      vni: wordBytes(message.vni),
      ifindex: wordBytes(message.ifindex),
      master: message.master,
      protocol: message.protocol === undefined ? undefined : Buffer.of(message.protocol),
    },
  };
}

const word = fc.nat(0xffffffff);
const byte = fc.nat(0xff);
const half = fc.nat(0xffff);
const ip = fc.oneof(
  fc.ipV4(),
  fc.constantFrom("fd00::1", "::", "1:2:3:4:5:6:7:8", "::ffff:192.0.2.1", "fe80::1:0:0:1"),
);
const mac = fc.constantFrom("02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff", "0a:00:00:01");
const name = fc.constantFrom("e0", "k6t-eth0", "café", "a-rather-long-alternative-name");
const family = fc.constantFrom(families.ipv4, families.ipv6);

/** Draws messages with all fields of the header and any of the attributes. */
function messageOf<T>(
  header: { [K in keyof T]?: fc.Arbitrary<T[K]> },
  attributes: { [K in keyof T]?: fc.Arbitrary<T[K]> },
) {
  return fc.record({ ...header, ...attributes } as Record<string, fc.Arbitrary<unknown>>, {
    requiredKeys: Object.keys(header),
    noNullPrototype: true,
  }) as fc.Arbitrary<T>;
}

const addresses = messageOf<AddressMessage>(
  { family, prefixLength: byte, flags: fc.nat(0xfff), scope: byte, index: word },
  {
    address: ip,
    local: ip,
    label: name,
    broadcast: ip,
    lifetime: fc.record({ preferred: word, valid: word }, { noNullPrototype: true }),
    routePriority: word,
  },
);
const links = messageOf<LinkMessage>(
  { family, type: half, index: fc.nat(), flags: fc.nat(0xffff), change: fc.nat(0xffff) },
  {
    mac,
    name,
    mtu: word,
    link: word,
    master: word,
    queueLength: word,
    operstate: byte,
    alias: name,
    group: word,
    txQueues: word,
    rxQueues: word,
    minMtu: word,
    maxMtu: word,
    permanentMac: mac,
  },
);
const routes = messageOf<RouteMessage>(
  {
    family,
    destinationLength: byte,
    sourceLength: byte,
    tos: byte,
    table: fc.oneof(byte, word),
    protocol: byte,
    scope: byte,
    type: byte,
    flags: fc.constantFrom(0, 2, 4, 6),
  },
  {
    destination: ip,
    source: ip,
    iif: word,
    oif: word,
    gateway: ip,
    metric: word,
    preferredSource: ip,
    realm: word,
    mark: word,
    expires: word,
    nexthop: word,
  },
);
const neighbors = messageOf<NeighborMessage>(
  { family, index: fc.nat(), state: byte, flags: byte, type: byte },
  { destination: ip, mac, vlan: half, vni: word, ifindex: word, master: word, protocol: byte },
);

interface Implementation<T> {
  readonly message: Message<T>;
  readonly asTheirs: (message: T) => Theirs;
  readonly parse: (payload: Buffer) => Theirs;
  readonly format: (message: Theirs, to: InstanceType<typeof AttrStream>) => void;
  readonly arbitrary: fc.Arbitrary<T>;
}

function implementation<T extends object>(one: Implementation<T>): Implementation<object> {
  return one as unknown as Implementation<object>;
}

const both: Record<string, Implementation<object>> = {
  links: implementation({
    message: link,
    asTheirs: linkAsTheirs,
    parse: rt.parseLinkMessage,
    format: (message, to) => rt.formatLinkMessage({ kind: "link", ...message }, to),
    arbitrary: links,
  }),
  addresses: implementation({
    message: address,
    asTheirs: addressAsTheirs,
    parse: rt.parseAddressMessage,
    format: (message, to) => rt.formatAddressMessage({ kind: "address", ...message }, to),
    arbitrary: addresses,
  }),
  routes: implementation({
    message: route,
    asTheirs: routeAsTheirs,
    parse: rt.parseRouteMessage,
    format: (message, to) => rt.formatRouteMessage({ kind: "route", ...message }, to),
    arbitrary: routes,
  }),
  neighbors: implementation({
    message: neighbor,
    asTheirs: neighborAsTheirs,
    parse: rt.parseNeighborMessage,
    format: (message, to) => rt.formatNeighborMessage({ kind: "neighbor", ...message }, to),
    arbitrary: neighbors,
  }),
};

for (const [name, { message, asTheirs, parse, format, arbitrary }] of Object.entries(both)) {
  t.test(`${name} that we write are read by the package`, (t) => {
    fc.assert(
      fc.property(arbitrary, (ours) => {
        const { data, attrs } = parse(Buffer.from(encode(message, ours)));
        return t.strictSame(plain({ data, attrs }), plain(asTheirs(ours)));
      }),
    );
    t.end();
  });

  t.test(`${name} that the package writes are read by us`, (t) => {
    fc.assert(
      fc.property(arbitrary, (ours) => {
        const to = new AttrStream();
        format(asTheirs(ours), to);
        return t.strictSame(decode(message, Buffer.concat(to.bufs)), ours);
      }),
    );
    t.end();
  });
}

/** Zeroes the time stamps, which our codec does not keep. */
function unstamped(attrs: Shown): Shown {
  return attrs.cacheInfo === undefined ? attrs : { ...attrs, cacheInfo: { ...attrs.cacheInfo, cstamp: 0, tstamp: 0 } };
}

/** Drops the expiry, which the kernel reports in another attribute. */
function toldBy({ expires: _, ...attrs }: Shown): Shown {
  return attrs;
}

/** Returns whether the package can read the message: it expects IPv4 in every RTA_VIA. */
const readable = (name: string, value: object): boolean =>
  name !== "routes" || (value as Partial<RouteMessage>).via === undefined;

for (const capture of captures) {
  for (const [dump, name] of [
    ["links", "links"],
    ["addresses", "addresses"],
    ["routes of IPv4", "routes"],
    ["routes of IPv6", "routes"],
    ["neighbors", "neighbors"],
  ] as const) {
    t.test(`${dump} of Linux ${capture.kernel} are decoded alike by the package and by us`, (t) => {
      const { message, asTheirs, parse } = both[name]!;
      for (const payload of payloads(capture.dumps[dump]!.datagrams)) {
        const ours = decode(message, payload);
        if (!readable(name, ours)) continue;
        const { data, attrs } = asTheirs(ours);
        const theirs = parse(Buffer.from(payload));
        t.strictSame(plain(theirs.data), plain(data));
        t.match(plain(unstamped(theirs.attrs)), plain(toldBy(attrs)));
      }
      t.end();
    });
  }
}
