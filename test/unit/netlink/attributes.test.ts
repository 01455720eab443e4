import t from "tap";
import { attrs, dropped, excerpt, repeated } from "../../../lib/netlink/attributes.ts";
import { NetlinkError } from "../../../lib/netlink/errors.ts";
import { hex, ipAddress, macAddress, s32, string, u8, u16, u32 } from "../../../lib/netlink/scalars.ts";
import { type Codec, reader, writer } from "../../../lib/netlink/wire.ts";
import { fc } from "../../harness/fast-check.ts";
import { hexOf } from "./captures.ts";

function encoded<T>(codec: Codec<T>, value: T): string {
  const to = writer();
  codec.encode(to, value);
  return hexOf(to.bytes.subarray(0, to.length));
}

function decoded<T>(codec: Codec<T>, bytes: string): T {
  const payload = Uint8Array.from(Buffer.from(bytes, "hex"));
  return codec.decode(reader(payload), 0, payload.length);
}

const malformed = (fact: string): NetlinkError => new NetlinkError("EBADMSG", 74, fact);

const table = attrs({
  mtu: [4, u32],
  name: [3, string],
  counters: [7, dropped],
  names: [9, repeated(string)],
  inner: [18, attrs({ on: [2, u8] })],
});

t.test("attributes are named by their table and padded to 4 bytes", (t) => {
  const bytes = "07000300653000000800040078050000";
  t.strictSame(decoded(table, bytes), { name: "e0", mtu: 1400 });
  t.equal(encoded(table, { name: "e0", mtu: 1400 }), bytes);
  t.end();
});

t.test("the padding of the last attribute may be missing", (t) => {
  t.strictSame(decoded(table, "07000300653000"), { name: "e0" });
  t.end();
});

t.test("a nested attribute is written with NLA_F_NESTED and read with or without it", (t) => {
  t.equal(encoded(table, { inner: { on: 1 } }), "0c0012800500020001000000");
  t.strictSame(decoded(table, "0c0012000500020001000000"), { inner: { on: 1 } });
  t.end();
});

t.test("attributes that the table does not name keep their order and flags in a round trip", (t) => {
  const bytes = "080063000102030408000480e00500000400648006006340ffff0000";
  const value = decoded(table, bytes);
  t.strictSame(value, {
    mtu: 1504,
    rest: [
      [0x63, "01020304"],
      [0x8064, ""],
      [0x4063, "ffff"],
    ],
  });
  t.equal(encoded(table, value), "08000400e005000008006300010203040400648006006340ffff0000");
  t.end();
});

t.test("excerpt omits the attributes that its table does not name", (t) => {
  const codec = excerpt({ mtu: [4, u32] });
  t.strictSame(decoded(codec, "080063000102030408000400e0050000"), { mtu: 1504 });
  t.end();
});

t.test("a dropped attribute is omitted", (t) => {
  t.strictSame(decoded(table, "0800070001020304"), {});
  t.end();
});

t.test("an attribute that the kernel only reports is read under the name of the one it accepts", (t) => {
  const codec = attrs({ expires: [23, u32] }, { expires: [12, u32] });
  t.strictSame(decoded(codec, "08000c0007000000"), { expires: 7 });
  t.equal(encoded(codec, { expires: 7 }), "0800170007000000");
  t.end();
});

t.test("a repeated attribute is read and written as a list", (t) => {
  const bytes = "06000900610000000600090062000000";
  t.strictSame(decoded(table, bytes), { names: ["a", "b"] });
  t.equal(encoded(table, { names: ["a", "b"] }), bytes);
  t.equal(encoded(table, { names: [] }), "");
  t.end();
});

t.test("the last of several equal attributes wins, as in the kernel", (t) => {
  t.strictSame(decoded(table, "08000400010000000800040002000000"), { mtu: 2 });
  t.end();
});

t.test("an undefined attribute is not written", (t) => {
  t.equal(encoded(table as Codec<{ mtu?: number | undefined }>, { mtu: undefined }), "");
  t.end();
});

t.test("an attribute with a wrong length is refused as EBADMSG with its name", (t) => {
  for (const [bytes, fact] of [
    ["0300040000000000", "attribute 4 is 3 bytes long, expected 4 to 8"],
    ["0000040000000000", "attribute 4 is 0 bytes long, expected 4 to 8"],
    ["0900040000000000", "attribute 4 is 9 bytes long, expected 4 to 8"],
    ["ffff048000000000", "attribute 4 is 65535 bytes long, expected 4 to 8"],
    ["080004000000000001", "1 bytes after the last attribute"],
    ["0800040000000000010203", "3 bytes after the last attribute"],
    ["0700040000000000", "mtu: 3 bytes, expected 4"],
    ["0c0012000600020001000000", "inner: on: 2 bytes, expected 1"],
    ["0c001200ff00020001000000", "inner: attribute 2 is 255 bytes long, expected 4 to 8"],
  ] as const)
    t.throws(() => decoded(table, bytes), malformed(fact));
  t.end();
});

t.test("a value that cannot be written is refused with its attribute's name", (t) => {
  const unwritable = (fact: string): NetlinkError => new NetlinkError("EINVAL", 22, fact);
  t.throws(() => encoded(table, { mtu: -1 }), unwritable("mtu: -1 is not an integer from 0 to 4294967295"));
  t.throws(() => encoded(table, { inner: { on: 256 } }), unwritable("inner: on: 256 is not an integer from 0 to 255"));
  t.throws(() => encoded(table, { rest: [[77, "xy"]] }), unwritable('rest: "xy" is not hex'));
  t.throws(() => encoded(table, { name: "x".repeat(0xffff) }), unwritable("name: 65536 bytes, expected at most 65531"));
  t.end();
});

t.test("locate returns the name of the attribute at a byte", (t) => {
  const bytes = Uint8Array.from(Buffer.from("07000300653000000c00128005000200010000000400ff00", "hex"));
  const at = (byte: number): string | undefined => table.locate?.(reader(bytes), 0, bytes.length, byte);
  t.equal(at(0), "name");
  t.equal(at(4), "name");
  t.equal(at(8), "inner");
  t.equal(at(12), "inner.on");
  t.equal(at(16), "inner.on");
  t.equal(at(20), "attribute 255");
  t.equal(at(24), undefined);
  t.end();
});

t.test("a value is unchanged after it is written and read", (t) => {
  const codec = attrs({
    byte: [1, u8],
    half: [2, u16],
    word: [0, u32],
    signed: [40, s32],
    text: [5, string],
    mac: [6, macAddress],
    ip: [7, ipAddress],
    list: [8, repeated(u32)],
    inner: [9, attrs({ bytes: [1, hex] })],
  });
  const bytes = fc.uint8Array({ maxLength: 300 }).map(hexOf);
  const value = fc.record(
    {
      byte: fc.nat(0xff),
      half: fc.nat(0xffff),
      word: fc.nat(0xffffffff),
      signed: fc.integer(),
      text: fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\0")),
      mac: fc.uint8Array({ maxLength: 20 }).map((bytes) => hexOf(bytes).replace(/..(?=.)/g, "$&:")),
      ip: fc.ipV4(),
      list: fc.array(fc.nat(0xffffffff), { minLength: 1 }),
      inner: fc.record(
        { bytes, rest: fc.array(fc.tuple(fc.integer({ min: 2, max: 0x3fff }), bytes), { minLength: 1 }) },
        { requiredKeys: [], noNullPrototype: true },
      ),
      rest: fc.array(fc.tuple(fc.integer({ min: 41, max: 0x3fff }), bytes), { minLength: 1 }),
    },
    { requiredKeys: [], noNullPrototype: true },
  );
  fc.assert(fc.property(value, (value) => t.strictSame(decoded(codec, encoded(codec, value)), value)));
  t.end();
});
