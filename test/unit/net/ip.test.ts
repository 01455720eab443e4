import { isIP } from "node:net";
import t from "tap";
import { formatIp, parseIp } from "../../../lib/net/ip.ts";
import { fc } from "../../harness/fast-check.ts";

const address = fc.oneof(
  fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 }),
  // Zero groups are what makes IPv6 hard.
  fc
    .array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 })
    .map((groups) => groups.flatMap((group) => [group >> 8, group & 0xff])),
);

t.test("an IPv6 address is formatted as in RFC 5952", (t) => {
  for (const [spelled, canonical] of [
    ["2001:0db8:0:0:0:0:2:1", "2001:db8::2:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:DB8::ABCD", "2001:db8::abcd"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["0:1:0:0:0:0:0:0", "0:1::"],
    ["1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0"],
    ["::ffff:c000:201", "::ffff:192.0.2.1"],
    ["::192.0.2.1", "::c000:201"],
    ["1::192.0.2.1", "1::c000:201"],
  ] as const)
    t.equal(formatIp(parseIp(spelled)!), canonical, spelled);
  t.end();
});

t.test("parse inverts format", (t) => {
  fc.assert(fc.property(address, (bytes) => t.strictSame(parseIp(formatIp(bytes)), bytes)));
  t.end();
});

t.test("IPv6 text is the same as in URLs, except for mapped IPv4 addresses", (t) => {
  fc.assert(
    fc.property(address, (bytes) => {
      const text = formatIp(bytes);
      return text.includes(".") || t.equal(`[${text}]`, new URL(`http://[${text}]`).hostname);
    }),
  );
  t.end();
});

t.test("isIp accepts what Node accepts", (t) => {
  const near = fc
    .tuple(address, fc.nat(60), fc.constantFrom("", ":", "::", ".", "0", "00", "g", "f", "256", "%eth0", " ", "-1"))
    .map(([bytes, at, noise]) => `${formatIp(bytes).slice(0, at)}${noise}${formatIp(bytes).slice(at + 1)}`);
  const pieces = fc
    .array(fc.constantFrom(":", "::", ".", "0", "1", "ffff", "12345", "255", "1.2.3.4", "01", "a"), { maxLength: 12 })
    .map((parts) => parts.join(""));
  fc.assert(
    fc.property(fc.oneof(near, pieces, fc.string()), (text) => {
      // A zone belongs to an interface, and not to an address.
      const version = text.includes("%") ? 0 : isIP(text);
      return parseIp(text)?.length === { 0: undefined, 4: 4, 6: 16 }[version];
    }),
    { numRuns: 5000 },
  );
  t.end();
});
