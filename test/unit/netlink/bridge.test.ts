import t from "tap";
import { bridgePort } from "../../../lib/netlink/route/bridge.ts";
import { fc } from "../../harness/fast-check.ts";
import { attributesOf, decode, encode } from "./captures.ts";

/** struct bridge_vlan_info: flags and VLAN, 16 bits each. */
function entries(payload: Uint8Array): [flags: number, vid: number][] {
  const [spec] = attributesOf(payload, 16);
  return attributesOf(Buffer.from(spec![1], "hex"), 0).map(([, hex]) => {
    const bytes = Buffer.from(hex, "hex");
    return [bytes.readUInt16LE(0), bytes.readUInt16LE(2)];
  });
}

t.test("a range of VLANs is written as two entries and a single VLAN as one", (t) => {
  const vlans = [
    { first: 1, last: 1, pvid: true, untagged: true },
    { first: 10, last: 20, pvid: false, untagged: false },
    { first: 30, last: 31, pvid: false, untagged: true },
  ];
  const payload = encode(bridgePort, { index: 7, afSpec: { vlans } });
  t.strictSame(entries(payload), [
    [0x6, 1],
    [0x8, 10],
    [0x10, 20],
    [0xc, 30],
    [0x14, 31],
  ]);
  t.strictSame(decode(bridgePort, payload).afSpec, { vlans });
  t.end();
});

t.test("ranges of VLANs are unchanged after they are written and read", (t) => {
  const vlan = fc.integer({ min: 1, max: 4094 });
  const range = fc
    .record({ first: vlan, last: vlan, pvid: fc.boolean(), untagged: fc.boolean() }, { noNullPrototype: true })
    .map((range) => ({ ...range, last: Math.max(range.first, range.last) }));
  fc.assert(
    fc.property(fc.array(range, { minLength: 1 }), (vlans) =>
      t.strictSame(decode(bridgePort, encode(bridgePort, { afSpec: { vlans } })).afSpec?.vlans, vlans),
    ),
  );
  t.end();
});

t.test("a bridge port's message has the family AF_BRIDGE", (t) => {
  t.equal(decode(bridgePort, encode(bridgePort, { index: 7 })).family, 7);
  t.end();
});
