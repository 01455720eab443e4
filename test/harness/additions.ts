// Draws what the author of a plugin may add to a pod: addresses, routes, neighbours, sysctls,
// links, in every spelling and with every option that the kernel accepts.
//
// The pod link has 10.244.0.7/24 and fd00::7/64.
import type { Address, KernelRoute, Neighbor } from "../../lib/plan/state.ts";
import { fc } from "./fast-check.ts";

/** What is added to one link. */
export interface Objects {
  readonly addresses: readonly Address[];
  readonly routes: readonly KernelRoute[];
  readonly neighbors: readonly Neighbor[];
}

/** What a plan adds to a pod, as JSON. */
export interface Additions {
  /** Settings of the pod link that change. */
  readonly settings: { readonly name?: string; readonly mac?: string; readonly mtu?: number };
  readonly objects: Objects;
  /** A bridge that is created. */
  readonly bridge?: Objects;
  readonly sysctls: Readonly<Record<string, string>>;
}

const none: Objects = { addresses: [], routes: [], neighbors: [] };

/** An IPv6 address in one of its spellings. */
function spelled(groups: readonly number[]): fc.Arbitrary<string> {
  const long = groups.map((group) => group.toString(16)).join(":");
  const padded = groups.map((group) => group.toString(16).padStart(4, "0")).join(":");
  const zeros = groups.lastIndexOf(0);
  const short = groups.slice(zeros + 1).map((group) => group.toString(16));
  const first = groups.indexOf(0);
  const compressed = `${groups
    .slice(0, first)
    .map((group) => group.toString(16))
    .join(":")}::${short.join(":")}`;
  return fc.constantFrom(
    ...[long, padded, long.toUpperCase(), compressed, compressed.toUpperCase()].filter((text) => text !== ""),
  );
}

const byte = fc.integer({ min: 1, max: 0xfe });
const group = fc.integer({ min: 1, max: 0xffff });
/** The last part of an address of another host. */
const host = fc.integer({ min: 20, max: 200 });
const mac = fc
  .tuple(byte, byte)
  .chain(([a, b]) =>
    fc.constantFrom(
      `02:AB:cd:00:${hex(a)}:${hex(b)}`,
      `02-ab-CD-00-${hex(a)}-${hex(b)}`,
      `02:ab:cd:00:${hex(a)}:${hex(b)}`,
    ),
  );

function hex(value: number): string {
  return value.toString(16).padStart(2, "0");
}

/** The fields that are drawn, without those that are absent. */
function some<T>(fields: { [K in keyof T]?: fc.Arbitrary<NonNullable<T[K]>> }): fc.Arbitrary<Partial<T>> {
  return fc.record(fields as Record<string, fc.Arbitrary<unknown>>, { requiredKeys: [] }) as unknown as fc.Arbitrary<
    Partial<T>
  >;
}

const metrics = some<NonNullable<KernelRoute["metrics"]>>({
  mtu: fc.constantFrom(0, 1280, 1400),
  advmss: fc.constantFrom(1000, 1220),
  hopLimit: fc.constantFrom(7, 255),
});

const header = { sourceLength: 0, tos: 0, type: 1, flags: 0 };

/** Routes whose gateway is on the link, one for each `n`. */
function ipv4Route(n: number, isPodLink: boolean): fc.Arbitrary<KernelRoute> {
  const ways: fc.Arbitrary<Partial<KernelRoute>>[] = [
    fc.constantFrom({ scope: 253 }, { scope: 0 }, { scope: 254, type: 2 }, { scope: 253, gateway: "0.0.0.0" }),
    fc.constant({ scope: 0, gateway: "192.168.9.9", flags: 4 }),
  ];
  if (isPodLink)
    ways.push(
      fc.constantFrom(
        { scope: 0, gateway: "10.244.0.1" },
        { scope: 0, via: { family: 2, address: "10.244.0.9" } },
        { scope: 0, preferredSource: "10.244.0.7", gateway: "10.244.0.2" },
      ),
      spelled([0xfd00, 0, 0, 0, 0, 0, 0, 0xab]).map((address) => ({ scope: 0, via: { family: 10, address } })),
      fc
        .array(fc.record({ extraWeight: fc.integer({ min: 0, max: 9 }), host }), { minLength: 1, maxLength: 3 })
        .map((list) => ({
          scope: 0,
          hops: list.map(({ extraWeight, host }) => ({ flags: 0, extraWeight, index: 0, gateway: `10.244.0.${host}` })),
        })),
    );
  return fc
    .tuple(
      fc.oneof(...ways),
      some<KernelRoute>({ metric: fc.constantFrom(0, 7, 4_000_000_000), metrics }),
      fc.record({ table: fc.constantFrom(0, 254, 100, 1000), protocol: fc.constantFrom(0, 3, 4, 186) }),
      fc.constantFrom(0, 0x10),
      fc.constantFrom(24, 32),
    )
    .map(([way, options, more, tos, destinationLength]) => ({
      ...{ ...header, family: 2, scope: 0, destination: `10.${n}.1.0`, destinationLength, tos },
      ...options,
      ...more,
      ...way,
    }));
}

function ipv6Route(n: number, isPodLink: boolean): fc.Arbitrary<KernelRoute> {
  const ways: fc.Arbitrary<Partial<KernelRoute>>[] = [fc.constant({})];
  if (isPodLink) {
    ways.push(spelled([0xfd00, 0, 0, 0, 0, 0, 0, 0xcafe]).map((gateway) => ({ gateway })));
    ways.push(
      spelled([0xfd00, 0, 0, 0, 0, 0, 0, 7]).map((preferredSource) => ({ preferredSource, gateway: "FD00::1" })),
    );
    ways.push(
      fc.uniqueArray(host, { minLength: 1, maxLength: 3 }).map((hosts) => ({
        hops: hosts.map((host) => ({ flags: 0, extraWeight: 0, index: 0, gateway: `FD00:0::${host.toString(16)}` })),
      })),
    );
  }
  return fc
    .tuple(
      fc.tuple(group).chain(([last]) => spelled([0xfdab, n, 0, 0, 0, 0, 0, last])),
      fc.oneof(...ways),
      some<KernelRoute>({
        metric: fc.constantFrom(0, 7, 1024),
        metrics,
        preference: fc.constantFrom(0, 1, 3),
        expires: fc.constant(5000),
      }),
      fc.record({
        table: fc.constantFrom(0, 254, 100, 1000),
        protocol: fc.constantFrom(0, 3, 4, 186),
        scope: fc.constantFrom(0, 253),
      }),
      fc.constantFrom(32, 64, 128),
    )
    .map(([destination, way, options, more, destinationLength]) => ({
      ...{ ...header, family: 10, destination, destinationLength },
      ...options,
      ...more,
      ...way,
    }));
}

function ipv4Address(n: number): fc.Arbitrary<Address> {
  const local = `10.77.${n}.7`;
  return fc
    .tuple(
      some<Address["message"]>({
        broadcast: fc.constant(`10.77.${n}.255`),
        label: fc.constant("label"),
        lifetime: fc.constantFrom({ preferred: 4000, valid: 5000 }, { preferred: 0xffffffff, valid: 0xffffffff }),
        routePriority: fc.constant(77),
      }),
      fc.constantFrom({ local }, { address: local }, { local, address: local }, { local, address: `10.78.${n}.9` }),
      fc.record({ scope: fc.constantFrom(0, 253), flags: fc.constantFrom(0, 0x80, 0x200, 0x280) }),
      fc.constantFrom(24, 32),
      fc.boolean(),
    )
    .map(([options, own, more, prefixLength, prefixRoute]) => ({
      message: { family: 2, prefixLength, ...options, ...own, ...more },
      prefixRoute,
    }));
}

function ipv6Address(n: number, isPodLink: boolean): fc.Arbitrary<Address> {
  return fc
    .tuple(
      spelled([0xfdcd, n, 0, 0, 0, 0, 0, 0xab]),
      // Without a carrier, the kernel adds the route to a peer an unknown time after the address
      // (addrconf_dad_work), and CHECK may come before.
      fc.constantFrom("local", "address", "both", ...(isPodLink ? ["peer"] : [])),
      fc.record({ scope: fc.constantFrom(0, 253), flags: fc.constantFrom(0, 0x2, 0x80, 0x200) }),
      fc.constantFrom(64, 128),
      fc.boolean(),
    )
    .map(([text, form, more, prefixLength, prefixRoute]) => ({
      message: {
        family: 10,
        prefixLength,
        ...(form !== "address" && { local: text }),
        ...(form === "address" || form === "both" ? { address: text } : {}),
        ...(form === "peer" && { address: `FDCE:${n.toString(16)}::AB` }),
        ...more,
      },
      prefixRoute,
    }));
}

function neighbor(n: number, isPodLink: boolean): fc.Arbitrary<Neighbor> {
  const base = { type: 1, flags: 0, state: 128 };
  return fc.oneof(
    mac.map((one): Neighbor => ({ ...base, family: 2, destination: `10.244.0.${n}`, mac: one })),
    fc
      .tuple(spelled([0xfd00, 0, 0, 0, 0, 0, n, 0xab]), mac, fc.constantFrom(0, 0x80))
      .map(([destination, one, flags]): Neighbor => ({ ...base, family: 10, destination, mac: one, flags })),
    // An entry without ARP needs a carrier.
    ...(isPodLink
      ? [mac.map((one): Neighbor => ({ ...base, family: 2, destination: `10.244.0.${n}`, mac: one, state: 0x40 }))]
      : []),
    fc.constant<Neighbor>({ ...base, family: 2, destination: `10.244.0.${n}`, flags: 8, state: 0 }),
    spelled([0xfd00, 0, 0, 0, 0, 0, n, 0xcd]).map(
      (destination): Neighbor => ({ ...base, family: 10, destination, flags: 8 }),
    ),
  );
}

/** Objects of one link. Those of another link have another `first`. */
function objects(first: number, isPodLink: boolean): fc.Arbitrary<Objects> {
  const each = <T>(draw: (n: number) => fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
    fc
      .uniqueArray(fc.integer({ min: first, max: first + 40 }), { maxLength: 3 })
      .chain((numbers) => fc.tuple(...numbers.map(draw)));
  return fc.record({
    addresses: each((n) => fc.oneof(ipv4Address(n), ipv6Address(n, isPodLink))),
    routes: each((n) => fc.oneof(ipv4Route(n, isPodLink), ipv6Route(n, isPodLink))),
    neighbors: each((n) => neighbor(n, isPodLink)),
  });
}

const sysctls = fc.record(
  {
    "net.ipv4.ip_local_port_range": fc.constantFrom("20000 30000", "20000\t30000", " 20000   30000 "),
    "net.ipv4.icmp_echo_ignore_all": fc.constantFrom("0", "1"),
    "net.ipv4.tcp_keepalive_time": fc.constantFrom("7200", "600"),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<Record<string, string>>;

export const additions: fc.Arbitrary<Additions> = fc
  .tuple(
    some<Additions["settings"]>({
      name: fc.constantFrom("eth0", "renamed"),
      mac: fc.constantFrom("02:AA:BB:00:00:01", "02-aa-bb-00-00-02"),
      mtu: fc.constantFrom(1280, 1400),
    }),
    objects(10, true),
    fc.option(objects(60, false), { nil: none }),
    fc.boolean(),
    sysctls,
  )
  .map(([settings, own, bridge, hasBridge, keys]) => ({
    settings,
    objects: own,
    ...(hasBridge && { bridge }),
    sysctls: keys,
  }));
