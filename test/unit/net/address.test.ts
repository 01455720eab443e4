import { isIPv4, isIPv6 } from "node:net";
import t from "tap";
import { isCidr, isIp, isIpv4, isIpv6 } from "../../../lib/net/ip.ts";
import { normalMac } from "../../../lib/net/mac.ts";
import { isPciAddress } from "../../../lib/sysfs/pci.ts";
import { fc } from "../../harness/fast-check.ts";

t.test("the schema accepts the addresses that Node accepts", async (t) => {
  const near = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.stringMatching(/^[0-9a-f:.]{0,20}$/),
    fc.stringMatching(/^([0-9a-f]{0,5}:){0,9}([0-9]{1,3}\.){0,4}[0-9a-f]{0,4}$/),
  );
  fc.assert(
    fc.property(near, (text) => {
      t.equal(isIpv4(text), isIPv4(text), text);
      t.equal(isIpv6(text), isIPv6(text), text);
    }),
    { numRuns: 2000 },
  );
  for (const text of ["::", "::1", "1::", "::ffff:10.0.0.1", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::"])
    t.ok(isIp(text), text);
  for (const text of [
    "",
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "::1:2:3:4:5:6:7:8",
    "1.2.3.4::",
    "::01.2.3.4",
    "fe80::1%eth0",
    "01.2.3.4",
    "1.2.3",
    "::12345",
  ])
    t.notOk(isIp(text), text);
});

t.test("a prefix length is at most that of the address", async (t) => {
  for (const text of ["0.0.0.0/0", "10.0.0.1/32", "::/0", "fd00::1/128"]) t.ok(isCidr(text), text);
  for (const text of [
    "10.0.0.1",
    "10.0.0.1/33",
    "10.0.0.1/",
    "10.0.0.1/08",
    "10.0.0.1/-1",
    "fd00::1/129",
    "/24",
    "10.0.0.1/24/1",
  ])
    t.notOk(isCidr(text), text);
});

t.test("a MAC address is given in the kernel's spelling, where a link can have it", async (t) => {
  t.equal(normalMac("02:AB:cd:00:00:01"), "02:ab:cd:00:00:01");
  t.equal(normalMac("02-ab-cd-00-00-01"), "02:ab:cd:00:00:01");
  for (const text of [
    "",
    "02:ab:cd:00:00",
    "02:ab:cd:00:00:01:02",
    "02:ab-cd:00:00:01",
    "2:ab:cd:00:00:01",
    "03:00:00:00:00:01",
    "ff:ff:ff:ff:ff:ff",
    "00:00:00:00:00:00",
    "02:00:00:00:00:01\n",
  ])
    t.equal(normalMac(text), undefined, JSON.stringify(text));
});

t.test("a PCI address has domain, bus, device and function", async (t) => {
  for (const text of ["0000:3b:02.6", "10000:e1:1f.7"]) t.ok(isPciAddress(text), text);
  for (const text of ["3b:02.6", "0000:3b:20.6", "0000:3b:02.8", "0000:3B:02.6", "../0000:3b:02.6", "0000:3b:02.6\n"])
    t.notOk(isPciAddress(text), text);
});
