// Compares our decoding of two kernels' dumps with the output of `ip -j` and `bridge -j`.
import t from "tap";
import { type AddressMessage, address, addressFlags } from "../../../lib/netlink/route/address.ts";
import { bridgePort } from "../../../lib/netlink/route/bridge.ts";
import { type LinkMessage, link } from "../../../lib/netlink/route/link.ts";
import { linkFlags } from "../../../lib/netlink/route/link-header.ts";
import { forwarding, neighbor, neighborFlags, neighborStates } from "../../../lib/netlink/route/neighbor.ts";
import { type Hop, type RouteMessage, route, routeFlags } from "../../../lib/netlink/route/route.ts";
import { type Capture, captures, decodedDump, type Shown } from "./captures.ts";

/** Returns the object without its undefined fields. */
function present(object: Shown): Shown {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

/** Returns the row's fields with these names. */
function picked(row: Shown, ...names: readonly string[]): Shown {
  return Object.fromEntries(names.filter((name) => name in row).map((name) => [name, row[name]]));
}

const namesByIndex = (capture: Capture): Map<number, string> =>
  new Map(decodedDump(capture, "links", link).map(({ index, name }) => [index, name!]));

const scopes: Shown = { 0: "global", 253: "link", 254: "host" };
const families: Shown = { 2: "inet", 10: "inet6" };
const protocols: Shown = { 2: "kernel", 3: "boot", 4: "static" };
const tables: Shown = { 254: "main", 255: "local" };
const operstates = ["UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP"];
const portStates = ["disabled", "listening", "learning", "forwarding", "blocking"];
const vlanProtocols: Shown = { 33024: "802.1Q", 34984: "802.1ad" };

function dataAsShown({ info }: LinkMessage): Shown | undefined {
  switch (info?.kind) {
    case "bridge":
      return present({
        forward_delay: info.data?.forwardDelay,
        stp_state: info.data?.stp,
        vlan_filtering: info.data?.vlanFiltering === undefined ? undefined : Number(info.data.vlanFiltering),
        vlan_protocol: vlanProtocols[info.data?.vlanProtocol ?? 0],
        vlan_default_pvid: info.data?.defaultPvid,
        mcast_snooping: info.data?.multicastSnooping === undefined ? undefined : Number(info.data.multicastSnooping),
        group_fwd_mask: info.data?.groupForwardMask?.toString(16),
      });
    case "tun":
      return present({
        type: ["", "tun", "tap"][info.data?.type ?? 0],
        pi: info.data?.packetInformation,
        vnet_hdr: info.data?.vnetHeader,
        multi_queue: info.data?.multiQueue,
        numqueues: info.data?.queues,
        numdisabled: info.data?.disabledQueues,
        persist: info.data?.persist,
        user: info.data?.owner,
        group: info.data?.group,
      });
    case "macvlan":
      return { mode: info.data?.mode === 4 ? "bridge" : "" };
    case "ipvlan":
      return { mode: info.data?.mode === 0 ? "l2" : "" };
    case "vlan":
      return { id: info.data?.id, protocol: vlanProtocols[info.data?.protocol ?? 0] };
    default:
      return undefined;
  }
}

type PortSettings = (LinkMessage["info"] & { slaveKind: "bridge" })["slaveData"];

function portAsShown(settings: PortSettings): Shown {
  return {
    state: portStates[settings?.state ?? -1],
    hairpin: settings?.hairpin,
    learning: settings?.learning,
    flood: settings?.unicastFlood,
    mcast_flood: settings?.multicastFlood,
    bcast_flood: settings?.broadcastFlood,
    neigh_suppress: settings?.neighborSuppression,
    isolated: settings?.isolated,
    locked: settings?.locked,
  };
}

const portFields = [
  "state",
  "hairpin",
  "learning",
  "flood",
  "mcast_flood",
  "bcast_flood",
  "neigh_suppress",
  "isolated",
  "locked",
];

for (const capture of captures) {
  t.test(`links of Linux ${capture.kernel} are decoded as ip -d link prints them`, (t) => {
    const links = decodedDump(capture, "links", link);
    const names = namesByIndex(capture);
    const { shown } = capture.dumps.links!;
    t.equal(links.length, shown.length);
    for (const [i, row] of shown.entries()) {
      const message = links[i]!;
      const ethernet = row.link_type === "ether" || row.link_type === "loopback";
      t.strictSame(
        present({
          ifindex: message.index,
          ifname: message.name,
          mtu: message.mtu,
          operstate: operstates[message.operstate ?? -1],
          group: message.group === 0 ? "default" : `${message.group}`,
          txqlen: message.queueLength,
          min_mtu: message.minMtu,
          max_mtu: message.maxMtu,
          num_tx_queues: message.txQueues,
          ifalias: message.alias,
          altnames: message.otherNames?.names,
          inet6_addr_gen_mode: ["eui64", "none"][message.afSpec?.ipv6?.addressGeneration ?? -1],
          master: names.get(message.master ?? -1),
          ...(ethernet && { address: message.mac }),
          ...(ethernet && row.link && { link: names.get(message.link ?? -1) }),
        }),
        picked(
          row,
          ...["ifindex", "ifname", "mtu", "operstate", "group", "txqlen", "min_mtu", "max_mtu", "num_tx_queues"],
          ...["ifalias", "altnames", "inet6_addr_gen_mode", "master"],
          ...(ethernet ? ["address", "link"] : []),
        ),
      );
      for (const [name, bit] of [
        ["UP", linkFlags.up],
        ["LOOPBACK", linkFlags.loopback],
        ["NOARP", linkFlags.noArp],
      ] as const)
        t.equal((message.flags & bit) !== 0, row.flags.includes(name), `${row.ifname} ${name}`);
      t.equal(message.info?.kind, row.linkinfo?.info_kind);
      t.equal(message.info?.slaveKind, row.linkinfo?.info_slave_kind);
      const data = dataAsShown(message);
      if (data !== undefined) t.strictSame(data, picked(row.linkinfo.info_data, ...Object.keys(data)), row.ifname);
      if (message.info?.slaveKind === "bridge")
        t.strictSame(portAsShown(message.info.slaveData), picked(row.linkinfo.info_slave_data, ...portFields));
    }
    t.end();
  });

  t.test(`bridge ports of Linux ${capture.kernel} are decoded as bridge -d link prints them`, (t) => {
    const ports = decodedDump(capture, "bridge ports", bridgePort).filter(({ settings }) => settings !== undefined);
    const names = namesByIndex(capture);
    t.strictSame(
      ports.map(({ index, name, mtu, master, settings }) => ({
        ifindex: index,
        ifname: name,
        mtu,
        master: names.get(master!),
        ...portAsShown(settings),
      })),
      capture.dumps["bridge ports"]!.shown.map((row) =>
        picked(row, "ifindex", "ifname", "mtu", "master", ...portFields),
      ),
    );
    t.not(ports.length, 0);
    t.end();
  });

  t.test(`VLANs of Linux ${capture.kernel} are decoded as bridge vlan prints them`, (t) => {
    const ports = decodedDump(capture, "vlans", bridgePort).filter(({ afSpec }) => afSpec?.vlans !== undefined);
    t.strictSame(
      ports.map(({ name, afSpec }) => ({
        ifname: name,
        vlans: afSpec!.vlans!.flatMap(({ first, last, pvid, untagged }) =>
          Array.from({ length: last - first + 1 }, (_, i) => ({
            vlan: first + i,
            ...((pvid || untagged) && { flags: [...(pvid ? ["PVID"] : []), ...(untagged ? ["Egress Untagged"] : [])] }),
          })),
        ),
      })),
      capture.dumps.vlans!.shown,
    );
    t.end();
  });

  t.test(`addresses of Linux ${capture.kernel} are decoded as ip address prints them`, (t) => {
    const asShown = (message: AddressMessage): Shown => {
      const flag = (bit: number): true | undefined => ((message.flags & bit) === 0 ? undefined : true);
      const ipv4 = families[message.family] === "inet";
      const peer = message.local !== undefined && message.local !== message.address;
      return present({
        family: families[message.family],
        local: message.local ?? message.address,
        address: peer ? message.address : undefined,
        prefixlen: message.prefixLength,
        metric: message.routePriority,
        broadcast: message.broadcast,
        scope: scopes[message.scope],
        secondary: ipv4 ? flag(addressFlags.secondary) : undefined,
        tentative: flag(addressFlags.tentative),
        nodad: flag(addressFlags.noDad),
        noprefixroute: flag(addressFlags.noPrefixRoute),
        dynamic: (message.flags & addressFlags.permanent) === 0 ? true : undefined,
        label: message.label,
        valid_life_time: message.lifetime?.valid,
        preferred_life_time: message.lifetime?.preferred,
      });
    };
    const addresses = decodedDump(capture, "addresses", address);
    for (const row of capture.dumps.addresses!.shown) {
      const mine = addresses.filter(({ index }) => index === row.ifindex).map(asShown);
      // IPv4 and IPv6 are separate parts of the dump.
      // A kernel with IFA_PROTO also reports an address's origin, which we do not decode.
      t.strictSame(
        mine,
        row.addr_info.map(({ protocol: _, ...shown }: Shown) => shown),
        row.ifname,
      );
    }
    t.end();
  });

  for (const family of ["IPv4", "IPv6"]) {
    t.test(`routes of ${family} of Linux ${capture.kernel} are decoded as ip route prints them`, (t) => {
      const types = [
        "",
        "unicast",
        "local",
        "broadcast",
        "anycast",
        "multicast",
        "blackhole",
        "unreachable",
        "prohibit",
        "throw",
      ];
      const names = namesByIndex(capture);
      const width = family === "IPv4" ? 32 : 128;
      const flagsOf = (flags: number): string[] => ((flags & routeFlags.onLink) === 0 ? [] : ["onlink"]);
      const hopAsShown = ({ gateway, index, extraWeight, flags }: Hop): Shown => ({
        gateway,
        dev: names.get(index),
        weight: extraWeight + 1,
        flags: flagsOf(flags),
      });
      const asShown = (message: RouteMessage): Shown =>
        present({
          type: types[message.type],
          dst:
            message.destination === undefined
              ? "default"
              : message.destinationLength === width
                ? message.destination
                : `${message.destination}/${message.destinationLength}`,
          tos: message.tos === 0 ? undefined : `0x${message.tos.toString(16)}`,
          gateway: message.gateway,
          via: message.via && { family: families[message.via.family], host: message.via.address },
          dev: message.oif && names.get(message.oif),
          table: tables[message.table] ?? `${message.table}`,
          protocol: protocols[message.protocol],
          scope: scopes[message.scope],
          prefsrc: message.preferredSource,
          metric: message.metric,
          flags: flagsOf(message.flags),
          metrics: message.metrics && [message.metrics],
          flow: message.realm && { to: `${message.realm}` },
          expires: message.expires,
          pref: ["medium", "high", undefined, "low"][message.preference ?? 2],
          nexthops: message.hops?.map(hopAsShown),
        });
      const mine = decodedDump(capture, `routes of ${family}`, route).map(asShown);
      // The lifetime counts down, and iproute2 sent its request a little later.
      const still = ({ expires, ...row }: Shown): Shown => ({ ...row, ...(expires && { expires: expires > 590 }) });
      // iproute2 also prints the state of a link without a carrier, which is not the route's.
      const own = (row: Shown): Shown => ({ ...row, flags: row.flags.filter((name: string) => name === "onlink") });
      t.strictSame(mine.map(still), capture.dumps[`routes of ${family}`]!.shown.map(still).map(own));
      t.end();
    });
  }

  t.test(`neighbours of Linux ${capture.kernel} are decoded as ip neighbor prints them`, (t) => {
    const names = namesByIndex(capture);
    const states = Object.entries(neighborStates);
    const mine = decodedDump(capture, "neighbors", neighbor).map((message) =>
      present({
        dst: message.destination,
        dev: names.get(message.index),
        lladdr: message.mac,
        router: (message.flags & neighborFlags.router) === 0 ? undefined : null,
        state: states.filter(([, bit]) => (message.state & bit) !== 0).map(([name]) => name.toUpperCase()),
      }),
    );
    t.strictSame(mine, capture.dumps.neighbors!.shown);
    t.end();
  });

  t.test(`forwarding entries of Linux ${capture.kernel} are decoded as bridge fdb prints them`, (t) => {
    const names = namesByIndex(capture);
    const mine = decodedDump(capture, "forwarding", forwarding).map((message) =>
      present({
        mac: message.mac,
        ifname: names.get(message.index),
        vlan: message.vlan,
        flags: (message.flags & neighborFlags.self) === 0 ? [] : ["self"],
        master: names.get(message.master ?? -1),
        state:
          (message.state & neighborStates.permanent) !== 0
            ? "permanent"
            : (message.state & neighborStates.noArp) !== 0
              ? "static"
              : "",
      }),
    );
    t.strictSame(mine, capture.dumps.forwarding!.shown);
    t.end();
  });
}
