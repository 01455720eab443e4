import t from "tap";
import { NetlinkError } from "../../../lib/netlink/errors.ts";
import { link } from "../../../lib/netlink/route/link.ts";
import { attributesOf, decode, encode } from "./captures.ts";

const header = "00".repeat(16);

/** IFLA_AF_SPEC with AF_INET6 with IFLA_INET6_CONF, an array of 32-bit numbers. */
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

t.test("of the sysctls for IPv6, number 2 is the MTU and number 26 switches IPv6 off", (t) => {
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

t.test("sysctls cannot be written by rtnetlink", (t) => {
  t.throws(() => encode(link, { afSpec: { ipv6: { conf: { mtu: 1500, disabled: true } } } }), {
    message: "afSpec: ipv6: conf: read-only here, expected to be written as a sysctl (EINVAL)",
  });
  t.end();
});

t.test("a name that is no UTF-8 is written back as it was", (t) => {
  const payload = Buffer.from(`${header}0800030061ff6200`, "hex");
  const { name } = decode(link, payload);
  t.strictSame(attributesOf(encode(link, { name }), 16), attributesOf(payload, 16));
  t.end();
});

t.test("a hardware address may have any length", (t) => {
  for (const mac of ["", "0a:00:00:01", "02:00:00:00:00:01", Array.from({ length: 20 }, () => "ab").join(":")])
    t.equal(decode(link, encode(link, { mac })).mac, mac);
  t.end();
});

t.test("what is undefined in a body is not said", (t) => {
  t.strictSame(encode(link, { index: 7, name: undefined, master: undefined }), encode(link, { index: 7 }));
  t.end();
});
