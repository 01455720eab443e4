import assert from "node:assert/strict";
import t from "tap";
import { fc } from "../../harness/fast-check.ts";
import { decodeFrame, encodeFrame, type Message, sameIp, solicitedNode } from "../../harness/frames.ts";

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));
const header = { source: "02:00:00:00:00:01", destination: "02:00:00:00:00:02" };

t.test("an ARP request is RFC 826's, byte for byte", async (t) => {
  const message = { is: "arpRequest", senderMac: header.source, sender: "10.0.0.2", target: "10.0.0.1" } as const;
  const bytes = hex("020000000002 020000000001 0806 0001 0800 06 04 0001 020000000001 0a000002 000000000000 0a000001");
  t.same(encodeFrame(header, message), bytes);
  t.same(decodeFrame(bytes), { ...header, etherType: 0x0806, message });
});

t.test("an echo request has both of its checksums", async (t) => {
  const message = {
    is: "echoRequest",
    from: "10.0.0.2",
    to: "10.0.0.1",
    id: 1,
    sequence: 1,
    data: hex("6162"),
  } as const;
  const bytes = hex(
    "020000000002 020000000001 0800 4500001e 00000000 400166dd 0a000002 0a000001 0800969b 0001 0001 6162",
  );
  t.same(Buffer.from(encodeFrame(header, message)).toString("hex"), Buffer.from(bytes).toString("hex"));
});

t.test("a neighbour solicitation's checksum covers the pseudo-header", async (t) => {
  const [from, target] = ["fd00::2", "fd00::1"];
  const { ip: to, mac } = solicitedNode(target);
  t.equal(mac, "33:33:ff:00:00:01");
  t.ok(sameIp(to, "ff02::1:ff00:1"));
  const bytes = encodeFrame(
    { ...header, destination: mac },
    { is: "solicitation", from, to, target, linkAddress: header.source },
  );
  // With its checksum in place, the sum over pseudo-header and message is all ones (RFC 1071).
  const packet = bytes.subarray(14);
  const covered = [...packet.subarray(8, 40), 0, packet.length - 40, 0, 58, ...packet.subarray(40)];
  let sum = 0;
  for (let index = 0; index < covered.length; index += 2) sum += covered[index]! * 256 + covered[index + 1]!;
  t.equal(sum % 0xffff, 0);
});

t.test("decode inverts encode, with and without a VLAN tag", async () => {
  const mac = fc
    .uint8Array({ minLength: 6, maxLength: 6 })
    .map((bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":"));
  const four = fc.ipV4();
  const six = fc
    .uint16Array({ minLength: 8, maxLength: 8 })
    .map((groups) => [...groups].map((group) => group.toString(16)).join(":"));
  const pair = fc.oneof(fc.tuple(four, four), fc.tuple(six, six));
  const u16 = fc.nat(0xffff);
  const plain = { noNullPrototype: true };
  const message: fc.Arbitrary<Message> = fc.oneof(
    fc.record({ is: fc.constantFrom("arpRequest", "arpReply"), senderMac: mac, sender: four, target: four }, plain),
    fc
      .record({
        is: fc.constantFrom("echoRequest", "echoReply"),
        pair,
        id: u16,
        sequence: u16,
        data: fc.uint8Array({ maxLength: 1400 }),
      })
      .map(({ pair: [from, to], ...rest }) => ({ ...rest, from, to })),
    fc.record(
      {
        is: fc.constantFrom("solicitation", "advertisement"),
        from: six,
        to: six,
        target: six,
        linkAddress: mac,
      },
      plain,
    ),
  );
  fc.assert(
    fc.property(mac, mac, fc.option(fc.nat(4095), { nil: undefined }), message, (source, destination, vlan, sent) => {
      const { etherType, ...frame } = decodeFrame(
        encodeFrame({ source, destination, ...(vlan !== undefined && { vlan }) }, sent),
      );
      assert.deepEqual(frame, { source, destination, ...(vlan !== undefined && { vlan }), message: sent });
    }),
    { numRuns: 50 },
  );
});

t.test("a frame of another kind is decoded without a message", async (t) => {
  const lldp = hex("0180c200000e 020000000001 88cc 0207040200000000");
  t.same(decodeFrame(lldp), { source: header.source, destination: "01:80:c2:00:00:0e", etherType: 0x88cc });
});

t.test("the spelling of an IPv6 address does not matter", async (t) => {
  t.ok(sameIp("FD00:0::1", "fd00:0:0:0:0:0:0:1"));
  t.ok(sameIp("::", "0:0:0:0:0:0:0:0"));
  t.notOk(sameIp("fd00::1", "fd00::1:1"));
  t.notOk(sameIp("::1", "0.0.0.1"));
});
