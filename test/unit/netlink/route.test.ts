import t from "tap";
import { NetlinkError } from "../../../lib/netlink/errors.ts";
import { families } from "../../../lib/netlink/message.ts";
import { type RouteMessage, route } from "../../../lib/netlink/route/route.ts";
import { fc } from "../../harness/fast-check.ts";
import { attributesOf, decode, encode, hexOf } from "./captures.ts";

const header = "02000000fe03000100000000";

const decoded = (hex: string): RouteMessage => decode(route, Buffer.from(hex, "hex"));

const malformed = (fact: string): NetlinkError => new NetlinkError("EBADMSG", 74, fact);

t.test("flags that report the state of a route or a hop are dropped", (t) => {
  // RTNH_F_DEAD | RTNH_F_ONLINK | RTNH_F_LINKDOWN; the second route also has RTM_F_OFFLOAD.
  t.equal(decoded("02000000fe03000115400000").flags, 0x4);
  t.equal(decoded("02000000fe03000115400020").flags, 0x4);
  t.strictSame(decoded(`${header}0c000900080015020600000`.concat("0")).hops, [
    { flags: 0x4, extraWeight: 2, index: 6 },
  ]);
  t.end();
});

t.test("a table above 255 is written to RTA_TABLE and read back", (t) => {
  for (const [table, inHeader] of [
    [254, "fe"],
    [255, "ff"],
    [256, "fc"],
    [1000, "fc"],
  ] as const) {
    const payload = encode(route, { table });
    t.equal(hexOf(payload.subarray(4, 5)), inHeader);
    t.equal(decode(route, payload).table, table);
  }
  // A message without RTA_TABLE.
  t.equal(decoded(header).table, 254);
  t.end();
});

t.test("the remaining time is read in 1/100 s and written in seconds", (t) => {
  // struct rta_cacheinfo: rta_clntref, rta_lastuse, rta_expires, ...
  const cacheinfo = (ticks: string): string => `${header}24000c000000000000000000${ticks}${"00".repeat(20)}`;
  t.equal(decoded(cacheinfo("60ea0000")).expires, 600);
  t.equal(decoded(cacheinfo("61ea0000")).expires, 601);
  t.equal(decoded(cacheinfo("01000000")).expires, 1);
  t.strictSame(Object.keys(decoded(cacheinfo("00000000"))).includes("expires"), false);
  t.strictSame(Object.keys(decoded(cacheinfo("ffffffff"))).includes("expires"), false);
  t.strictSame(attributesOf(encode(route, { expires: 600 }), 12), [[23, "58020000"]]);
  t.throws(() => decoded(`${header}0c000c000000000000000000`), malformed("expires: 8 bytes, expected 12 or more"));
  t.end();
});

t.test("a hop with a wrong length is refused as EBADMSG", (t) => {
  for (const [hops, fact] of [
    ["0a0009000800000006000", "hops: 6 bytes after the last hop"],
    ["0c0009000700000006000000", "hops: a hop is 7 bytes long, expected 8 to 8"],
    ["0c0009000900000006000000", "hops: a hop is 9 bytes long, expected 8 to 8"],
    ["0c0009000000000006000000", "hops: a hop is 0 bytes long, expected 8 to 8"],
    ["1400090010000000060000000900050000000000", "hops: attribute 5 is 9 bytes long, expected 4 to 8"],
  ] as const)
    t.throws(() => decoded(header + hops.padEnd(24, "0")), malformed(fact));
  t.end();
});

t.test("a gateway of another family is decoded with its family", (t) => {
  t.strictSame(decoded(`${header}0a00120002000a0000010000`).via, { family: families.ipv4, address: "10.0.0.1" });
  for (const [via, fact] of [
    ["04001200", "via: 0 bytes, expected 6 or 18"],
    ["0500120002000000", "via: 1 bytes, expected 6 or 18"],
    ["060012000a000000", "via: 0 bytes, expected 4 or 16"],
  ] as const)
    t.throws(() => decoded(header + via), malformed(fact));
  t.end();
});

t.test("a route is unchanged after it is written and read", (t) => {
  const word = fc.nat(0xffffffff);
  const byte = fc.nat(0xff);
  const ip = fc.constantFrom("10.0.0.1", "0.0.0.0", "fd00::1", "::");
  const flags = fc.constantFrom(0, 2, 4, 6);
  const rest = fc.array(
    fc.tuple(fc.constantFrom(13, 14, 22, 25, 31, 0x8000 | 22), fc.uint8Array({ maxLength: 20 }).map(hexOf)),
    {
      minLength: 1,
    },
  );
  const via = fc.record({ family: fc.constantFrom(2, 10), address: ip }, { noNullPrototype: true });
  const options = { noNullPrototype: true } as const;
  const hop = fc.record(
    { flags, extraWeight: byte, index: fc.integer(), gateway: ip, realm: word, via, rest },
    { requiredKeys: ["flags", "extraWeight", "index"], ...options },
  );
  const metrics = fc.record(
    { lock: word, mtu: word, advmss: word, hopLimit: word, congestionControl: fc.constantFrom("reno", "cubic"), rest },
    { requiredKeys: [], ...options },
  );
  const message = fc.record(
    {
      ...{ family: fc.constantFrom(2, 10), destinationLength: byte, sourceLength: byte, tos: byte, table: word },
      ...{ protocol: byte, scope: byte, type: byte, flags },
      ...{ destination: ip, source: ip, iif: word, oif: word, gateway: ip, metric: word, preferredSource: ip, metrics },
      ...{
        hops: fc.array(hop, { minLength: 1 }),
        realm: word,
        mark: word,
        via,
        preference: byte,
        expires: word,
        nexthop: word,
      },
      rest,
    },
    {
      requiredKeys: [
        "family",
        "destinationLength",
        "sourceLength",
        "tos",
        "table",
        "protocol",
        "scope",
        "type",
        "flags",
      ],
      ...options,
    },
  );
  fc.assert(fc.property(message, (value) => t.strictSame(decode(route, encode(route, value)), value)));
  t.end();
});
