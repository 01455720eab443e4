// Draws plans that an author may write: objects in every spelling, with every option.
import { networkOf } from "../../../../lib/net/ip.ts";
import { fc } from "../../../harness/fast-check.ts";
import type { AnyPlan } from "./plugins/any-plan/main.ts";

/** The pod's own addresses, and its gateways, on eth0. */
export const own = { ipv4: "10.1.0.2", ipv6: "fd00:1::2" } as const;
export const gateways = { ipv4: "10.1.0.1", ipv6: "fd00:1::1" } as const;

const families = { ipv4: 2, ipv6: 10 } as const;
type Objects = Required<Pick<AnyPlan, "addresses" | "routes" | "neighbors">>;
type Route = Objects["routes"][number];

const byte = fc.integer({ min: 1, max: 254 });
const group = fc.integer({ min: 0x100, max: 0xffff }).map((value) => value.toString(16));
/** Addresses of networks that the pod does not have. */
const ipv4 = fc.tuple(byte, byte).map(([one, other]) => `10.77.${one}.${other}`);
const ipv6 = fc
  .tuple(
    group,
    group,
    fc.constantFrom<(text: string) => string>(String, (text) => text.toUpperCase()),
  )
  .map(([one, other, spell]) => spell(`fd77:0:0:0:0:0:${one}:${other}`));
const mac = fc
  .tuple(byte, byte)
  .map((bytes) => `02:AB:00:00:${bytes.map((one) => one.toString(16).padStart(2, "0")).join(":")}`);

const address = fc.oneof(
  fc
    .record({ ip: ipv4, length: fc.integer({ min: 8, max: 32 }) })
    .chain(({ ip, length }) =>
      addressOf(families.ipv4, ip, length, { scopes: [0, 253, 254], flags: [0, 0x80, 0x200] }),
    ),
  fc
    .record({ ip: ipv6, length: fc.constantFrom(64, 96, 120, 128) })
    .chain(({ ip, length }) => addressOf(families.ipv6, ip, length, { scopes: [0, 253], flags: [0, 2, 0x80, 0x200] })),
);

function addressOf(
  family: number,
  local: string,
  prefixLength: number,
  { scopes, flags }: { readonly scopes: readonly number[]; readonly flags: readonly number[] },
): fc.Arbitrary<Objects["addresses"][number]> {
  const [scope, flag] = [scopes, flags].map((choices) => fc.constantFrom(...choices)) as [
    fc.Arbitrary<number>,
    fc.Arbitrary<number>,
  ];
  const lifetime = fc.option(fc.constant({ preferred: 1000, valid: 2000 }), { nil: undefined });
  return fc.record({ scope, flags: flag, lifetime, prefixRoute: fc.boolean() }).map((drawn) => {
    const { prefixRoute, lifetime, ...rest } = drawn;
    const message = { family, prefixLength, local, address: local, ...rest, ...(lifetime && { lifetime }) };
    return { message, prefixRoute };
  });
}

/** What all routes have in common. */
const routeBase = fc.record({
  tos: fc.constant(0),
  table: fc.constantFrom(0, 254, 100, 1000),
  protocol: fc.constantFrom(0, 3, 4, 99),
  type: fc.constant(1),
  metric: fc.constantFrom(undefined, 0, 100, 4_000_000_000),
  metrics: fc.constantFrom(undefined, { mtu: 1400 }, { mtu: 1400, advmss: 1300, hopLimit: 9 }),
});

function routeTo(family: number, ip: fc.Arbitrary<string>, gateway: string, source: string) {
  const bits = family === families.ipv4 ? 32 : 128;
  const way = fc.constantFrom<Partial<Route>>(
    {},
    { gateway },
    { gateway: gateway.toUpperCase() },
    { gateway, preferredSource: source },
    { gateway: family === families.ipv4 ? "10.99.0.1" : "FD99::1", flags: 4 },
    {
      hops: [gateway, gateway.replace(/1$/, "3")].map((via) => ({ flags: 0, extraWeight: 0, index: 0, gateway: via })),
    },
    ...(family === families.ipv4 ? [{ via: { family: families.ipv6, address: "FD00:1::1" } }, { tos: 8 }] : []),
  );
  const length = fc.integer({ min: 0, max: bits });
  return fc
    .tuple(routeBase, ip, length, way, fc.boolean())
    .map(
      ([{ metric, metrics, ...base }, destination, destinationLength, way, hasOif]): Route & { hasOif: boolean } => ({
        family,
        // Host bits are refused in an IPv4 destination, and dropped from an IPv6 one.
        ...(destinationLength > 0 && {
          destination: family === families.ipv4 ? networkOf(destination, destinationLength) : destination,
        }),
        destinationLength,
        sourceLength: 0,
        scope: family === families.ipv4 && Object.keys(way).length === 0 ? 253 : 0,
        flags: 0,
        ...base,
        ...(metric !== undefined && { metric }),
        ...(metrics !== undefined && { metrics }),
        ...way,
        hasOif,
      }),
    );
}

const route = fc.oneof(
  routeTo(families.ipv4, ipv4, gateways.ipv4, own.ipv4),
  routeTo(families.ipv6, ipv6, gateways.ipv6, own.ipv6),
);

/** No entry is for one of the pod's own addresses, which the kernel keeps otherwise. */
const neighborIp = fc.oneof(ipv4, ipv6).map((text) => text.replace(/^10\.77/, "10.78").replace(/^(fd)77/i, "$178"));

const neighbor = fc
  .tuple(
    neighborIp,
    mac,
    fc.constantFrom({ state: 0x80, flags: 0 }, { state: 0x40, flags: 0 }, { state: 0x80, flags: 8 }),
  )
  .map(([destination, mac, kind]) => ({
    family: destination.includes(":") ? families.ipv6 : families.ipv4,
    type: 1,
    destination,
    mac,
    ...kind,
  }));

const sysctls = fc.dictionary(
  fc.constantFrom(
    "net.ipv4.conf.eth0.arp_announce",
    "net.ipv4.conf.eth0.log_martians",
    "net.ipv4.conf.all.arp_notify",
    "net.ipv4.ip_default_ttl",
    "net.ipv6.conf.eth0.hop_limit",
  ),
  fc.constantFrom("1", "2"),
);
const portRange = fc.constantFrom({}, { "net.ipv4.ip_local_port_range": "20000\t 30000" });

const settings = fc.constantFrom<NonNullable<AnyPlan["settings"]>>(
  {},
  { mtu: 1300 },
  { mac: "02:AB:CD:00:00:01" },
  { name: "renamed" },
  { name: "renamed", mac: "02:ab:cd:00:00:02", mtu: 1400 },
);

const few = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(one, { maxLength: 3 });

/** A plan for a pod link with this index. */
export function plans(index: number): fc.Arbitrary<AnyPlan> {
  const finished = ({ hasOif, ...one }: Route & { hasOif: boolean }): Route => {
    if (one.hops !== undefined) return { ...one, hops: one.hops.map((hop) => ({ ...hop, index })) };
    return hasOif ? { ...one, oif: index } : one;
  };
  return fc
    .tuple(
      settings,
      few(address),
      few(route),
      few(neighbor),
      sysctls,
      portRange,
      few(address),
      few(route),
      fc.boolean(),
    )
    .map(([settings, addresses, routes, neighbors, sysctls, range, onBridge, alongBridge, creates]) => ({
      settings,
      addresses,
      routes: routes.map(finished),
      neighbors,
      sysctls: { ...sysctls, ...range },
      create: creates
        ? [
            {
              ...{ name: "any0", kind: "bridge", mark: 0x6b740077, mtu: 1500, up: true, neighbors: [] },
              addresses: onBridge,
              // Without a gateway, they lead out of the bridge itself.
              routes: alongBridge
                .filter(({ gateway, via, hops }) => !gateway && !via && !hops)
                .map(({ hasOif: _, ...one }) => one),
            },
          ]
        : [],
    }));
}
