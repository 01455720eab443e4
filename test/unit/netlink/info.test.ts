import t from "tap";
import { attrs } from "../../../lib/netlink/attributes.ts";
import { NetlinkError } from "../../../lib/netlink/errors.ts";
import { linkInfo } from "../../../lib/netlink/route/info.ts";
import { u16, u32 } from "../../../lib/netlink/scalars.ts";
import { reader, writer } from "../../../lib/netlink/wire.ts";
import { hexOf } from "./captures.ts";

const info = linkInfo({ vlan: attrs({ id: [1, u16] }) }, { bridge: attrs({ cost: [3, u32] }) });
type Info = Parameters<typeof info.encode>[1];

function encoded(value: Info): string {
  const to = writer();
  info.encode(to, value);
  return hexOf(to.bytes.subarray(0, to.length));
}

function decoded(bytes: string): Info {
  const payload = Uint8Array.from(Buffer.from(bytes, "hex"));
  return info.decode(reader(payload), 0, payload.length);
}

const malformed = (fact: string): NetlinkError => new NetlinkError("EBADMSG", 74, fact);

const vlanKind = "09000100766c616e00000000";
const vlanData = "0c0002800600010007000000";
const bridgeKind = "0b0004006272696467650000";
const bridgeData = "0c0005800800030064000000";

t.test("the data of a link and of a port is decoded by its kind", (t) => {
  const value: Info = { kind: "vlan", slaveKind: "bridge", data: { id: 7 }, slaveData: { cost: 100 } };
  t.equal(encoded(value), vlanKind + vlanData + bridgeKind + bridgeData);
  t.strictSame(decoded(vlanKind + vlanData + bridgeKind + bridgeData), value);
  t.end();
});

t.test("data that precedes its kind is decoded", (t) => {
  t.strictSame(decoded(vlanData + vlanKind), { kind: "vlan", data: { id: 7 } });
  t.end();
});

t.test("a kind without data and a port without a kind are decoded", (t) => {
  t.strictSame(decoded(vlanKind), { kind: "vlan" });
  t.strictSame(decoded(bridgeKind + bridgeData), { slaveKind: "bridge", slaveData: { cost: 100 } });
  t.strictSame(decoded(""), {});
  t.equal(encoded({ kind: "vlan" }), vlanKind);
  t.end();
});

t.test("data of an unknown kind is kept as hex and written back unchanged", (t) => {
  for (const kind of ["vxlan", "constructor", "__proto__"]) {
    const kindBytes = Buffer.from(`${kind}\0`);
    const padded = Buffer.concat([kindBytes, Buffer.alloc(-kindBytes.length & 3)]).toString("hex");
    const bytes = `${(kindBytes.length + 4).toString(16).padStart(2, "0")}000100${padded}0800020001020304`;
    t.strictSame(decoded(bytes), { kind, data: "01020304" });
    t.equal(encoded(decoded(bytes)), bytes);
  }
  t.end();
});

t.test("link information with a wrong length is refused as EBADMSG", (t) => {
  t.throws(() => decoded("0d000100766c616e00000000"), malformed("attribute 1 is 13 bytes long, expected 4 to 12"));
  t.throws(() => decoded("03000100"), malformed("attribute 1 is 3 bytes long, expected 4 to 4"));
  t.throws(() => decoded(`${vlanKind}0000`), malformed("2 bytes after the last attribute"));
  t.throws(() => decoded(`${vlanKind}0c0002000800010007000000`), malformed("data: id: 4 bytes, expected 2"));
  t.throws(() => decoded(`${bridgeKind}0c0005000600030064000000`), malformed("slaveData: cost: 2 bytes, expected 4"));
  t.end();
});

t.test("locate names the attribute at a byte by the link's kind", (t) => {
  const bytes = Uint8Array.from(Buffer.from(vlanKind + vlanData + bridgeKind + bridgeData, "hex"));
  const at = (byte: number): string | undefined => info.locate?.(reader(bytes), 0, bytes.length, byte);
  t.equal(at(0), undefined);
  t.equal(at(16), "data.id");
  t.equal(at(28), undefined);
  t.equal(at(40), "slaveData.cost");
  t.end();
});
