import t from "tap";
import { NetlinkError } from "../../../lib/netlink/errors.ts";
import { link } from "../../../lib/netlink/route/link.ts";
import { attributesOf, decode, encode } from "./captures.ts";

const header = "00".repeat(16);

/** Returns a link message with IFLA_AF_SPEC > AF_INET6 > IFLA_INET6_CONF (32-bit numbers). */
function withSysctls(values: readonly number[]): Buffer {
  const array = Buffer.from(Uint32Array.from(values).buffer);
  const wrap = (type: number, payload: Buffer): Buffer => {
    const head = Buffer.alloc(4);
    head.writeUInt16LE(payload.length + 4, 0);
    head.writeUInt16LE(type, 2);
    return Buffer.concat([head, payload]);
  };
  return Buffer.concat([Buffer.from(header, "hex"), wrap(26, wrap(10, wrap(2, array)))]);
}

t.test("IPv6 sysctl 2 is decoded as the MTU and sysctl 26 as disable_ipv6", (t) => {
  const sysctls = Array.from({ length: 60 }, (_, number) => number + 1000);
  const told = (values: readonly number[]) => decode(link, withSysctls(values)).afSpec;
  t.strictSame(told(sysctls), { ipv6: { conf: { mtu: 1002, disabled: true } } });
  t.strictSame(told(sysctls.with(26, 0)), { ipv6: { conf: { mtu: 1002, disabled: false } } });
  t.strictSame(told(sysctls.slice(0, 27)), { ipv6: { conf: { mtu: 1002, disabled: true } } });
  t.throws(
    () => told(sysctls.slice(0, 26)),
    new NetlinkError("EBADMSG", 74, "afSpec: ipv6: conf: 104 bytes, expected 108 or more"),
  );
  t.end();
});

t.test("encoding IPv6 sysctls is refused, because rtnetlink cannot write them", (t) => {
  t.throws(() => encode(link, { afSpec: { ipv6: { conf: { mtu: 1500, disabled: true } } } }), {
    message: "afSpec: ipv6: conf: read-only here, expected to be written as a sysctl (EINVAL)",
  });
  t.end();
});

t.test("a name that is not UTF-8 is written back unchanged", (t) => {
  const payload = Buffer.from(`${header}0800030061ff6200`, "hex");
  const { name } = decode(link, payload);
  t.strictSame(attributesOf(encode(link, { name }), 16), attributesOf(payload, 16));
  t.end();
});

t.test("a hardware address of any length is unchanged after a round trip", (t) => {
  for (const mac of ["", "0a:00:00:01", "02:00:00:00:00:01", Array.from({ length: 20 }, () => "ab").join(":")])
    t.equal(decode(link, encode(link, { mac })).mac, mac);
  t.end();
});

t.test("an undefined field of a body is not written", (t) => {
  t.strictSame(encode(link, { index: 7, name: undefined, master: undefined }), encode(link, { index: 7 }));
  t.end();
});
