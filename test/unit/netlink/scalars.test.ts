import t from "tap";
import { NetlinkError } from "../../../lib/netlink/errors.ts";
import {
  be16,
  bool,
  flagAttribute,
  hex,
  ipAddress,
  macAddress,
  s32,
  string,
  struct,
  u8,
  u16,
  u32,
} from "../../../lib/netlink/scalars.ts";
import { type Codec, reader, writer } from "../../../lib/netlink/wire.ts";
import { fc } from "../../harness/fast-check.ts";
import { hexOf } from "./captures.ts";

function encoded<T>(codec: Codec<T>, value: T): string {
  const to = writer();
  codec.encode(to, value);
  return hexOf(to.bytes.subarray(0, to.length));
}

function decoded<T>(codec: Codec<T>, payload: string): T {
  const bytes = Uint8Array.from(Buffer.from(payload, "hex"));
  return codec.decode(reader(bytes), 0, bytes.length);
}

const malformed = (fact: string): NetlinkError => new NetlinkError("EBADMSG", 74, fact);
const unwritable = (fact: string): NetlinkError => new NetlinkError("EINVAL", 22, fact);

t.test("a value is written in the kernel's format and read back", (t) => {
  const cases: [Codec<unknown>, unknown, string][] = [
    [u8, 0xff, "ff"],
    [u16, 0x1234, "3412"],
    [u32, 0xfffffffe, "feffffff"],
    [s32, -2, "feffffff"],
    [s32, 0x7fffffff, "ffffff7f"],
    [be16, 0x88a8, "88a8"],
    [bool, true, "01"],
    [bool, false, "00"],
    [flagAttribute, true, ""],
    [string, "e0", "653000"],
    [string, "", "00"],
    [hex, "00ff7e", "00ff7e"],
    [hex, "", ""],
    [macAddress, "02:00:00:00:00:fe", "0200000000fe"],
    [macAddress, "", ""],
    [macAddress, "0a:00:00:01", "0a000001"],
    [ipAddress, "10.0.0.255", "0a0000ff"],
    [ipAddress, "fd00::1", "fd000000000000000000000000000001"],
  ];
  for (const [codec, value, bytes] of cases) {
    t.equal(encoded(codec, value), bytes);
    t.strictSame(decoded(codec, bytes), value);
  }
  t.end();
});

t.test("upper case is read and not written", (t) => {
  t.equal(encoded(macAddress, "02:AB:00:00:00:FE"), "02ab000000fe");
  t.equal(encoded(hex, "AB"), "ab");
  t.end();
});

t.test("text without a final NUL, as some tools send it, is read whole", (t) => {
  t.equal(decoded(string, "6530"), "e0");
  t.end();
});

t.test("a payload of a wrong size is refused as EBADMSG", (t) => {
  const sized: [Codec<unknown>, number][] = [
    [u8, 1],
    [u16, 2],
    [u32, 4],
    [s32, 4],
    [be16, 2],
    [bool, 1],
    [flagAttribute, 0],
  ];
  for (const [codec, size] of sized)
    for (const wrong of [0, 1, 2, 3, 4, 5, 8].filter((length) => length !== size))
      t.throws(() => decoded(codec, "00".repeat(wrong)), malformed(`${wrong} bytes, expected ${size}`));
  for (const wrong of [0, 3, 5, 15, 17])
    t.throws(() => decoded(ipAddress, "00".repeat(wrong)), malformed(`${wrong} bytes, expected 4 or 16`));
  t.end();
});

t.test("a number out of range is refused and not truncated", (t) => {
  const ranges: [Codec<number>, number, number][] = [
    [u8, 0, 0xff],
    [u16, 0, 0xffff],
    [be16, 0, 0xffff],
    [u32, 0, 0xffffffff],
    [s32, -0x80000000, 0x7fffffff],
  ];
  for (const [codec, lowest, highest] of ranges) {
    for (const value of [lowest - 1, highest + 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
      t.throws(() => encoded(codec, value), unwritable(`${value} is not an integer from ${lowest} to ${highest}`));
    t.equal(decoded(codec, encoded(codec, lowest)), lowest);
    t.equal(decoded(codec, encoded(codec, highest)), highest);
  }
  t.end();
});

t.test("text that is not an address or hex is refused", (t) => {
  for (const text of ["", "10.0.0", "10.0.0.256", "fd00::1%eth0", "fd00::/64", "e0"])
    t.throws(() => encoded(ipAddress, text), unwritable(`"${text}" is not an IP address`));
  for (const text of ["0", "02-00-00-00-00-01", "02:00:00:00:00:0", "02:00:00:00:00:01:", "0200.0000.0001", "gg:00"])
    t.throws(() => encoded(macAddress, text), unwritable(`"${text}" is not a hardware address`));
  for (const text of ["0", "0g", "0x00", " 00"]) t.throws(() => encoded(hex, text), unwritable(`"${text}" is not hex`));
  t.end();
});

t.test("any bytes are unchanged after a round trip as hex and as a hardware address", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const payload = hexOf(bytes);
      return (
        encoded(hex, decoded(hex, payload)) === payload && encoded(macAddress, decoded(macAddress, payload)) === payload
      );
    }),
  );
  t.end();
});

t.test("a structure has the layout of the same C structure", (t) => {
  // struct { u8 a; u16 b; u8 c; s32 d; }
  const layout = struct({ a: u8, b: u16, c: u8, d: s32 });
  t.equal(encoded(layout, { a: 1, b: 2, c: 3, d: -1 }), "0100020003000000ffffffff");
  t.strictSame(decoded(layout, "0100020003000000ffffffff"), { a: 1, b: 2, c: 3, d: -1 });
  t.equal(layout.size, 12);
  t.end();
});

t.test("a structure writes zeros for its unknown rest and ignores the rest on reading", (t) => {
  const layout = struct({ a: u32 }, 12);
  t.equal(encoded(layout, { a: 1 }), "010000000000000000000000");
  t.strictSame(decoded(layout, "01000000ffffffffffffffff"), { a: 1 });
  t.throws(() => decoded(layout, "01000000"), malformed("4 bytes, expected 12"));
  t.end();
});

t.test("a number is read the same at every alignment of the buffer", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(3), (bytes, word) => {
      // A datagram that does not begin at the start of its buffer.
      const shifted = new Uint8Array(17);
      shifted.set(bytes, 1);
      const at = word * 4;
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      return [reader(bytes), reader(shifted.subarray(1))].every(
        (from) =>
          u8.read(from, at) === view.getUint8(at) &&
          u16.read(from, at) === view.getUint16(at, true) &&
          u32.read(from, at) === view.getUint32(at, true) &&
          s32.read(from, at) === view.getInt32(at, true) &&
          be16.read(from, at) === view.getUint16(at),
      );
    }),
  );
  t.end();
});
