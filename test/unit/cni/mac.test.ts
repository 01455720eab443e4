import t from "tap";
import { requestedMac } from "../../../lib/cni/mac.ts";

const runtime = { runtimeConfig: { mac: "02:00:00:00:00:01" } };
const extra = { args: { cni: { mac: "02:00:00:00:00:02" } } };
const args = { MAC: "02:00:00:00:00:03" };
const configured = "02:00:00:00:00:04";

t.test("requestedMac prefers runtimeConfig over args, CNI_ARGS and the configuration", async (t) => {
  t.equal(requestedMac({ object: { ...runtime, ...extra }, args }, configured), "02:00:00:00:00:01");
  t.equal(requestedMac({ object: extra, args }, configured), "02:00:00:00:00:02");
  t.equal(requestedMac({ object: {}, args }, configured), "02:00:00:00:00:03");
  t.equal(requestedMac({ object: {}, args: {} }, configured), "02:00:00:00:00:04");
  t.equal(requestedMac({ object: {}, args: {} }), undefined);
});

t.test("requestedMac skips a source that is empty or has no MAC address", async (t) => {
  for (const object of [
    { runtimeConfig: null, args: null },
    { runtimeConfig: { mac: "" }, args: { cni: { mac: null } } },
    { args: { cni: [] } },
    { args: 5 },
  ])
    t.equal(requestedMac({ object, args: { MAC: "" } }, configured), configured);
});

t.test("requestedMac returns an address with capitals or dashes in the kernel's spelling", async (t) => {
  t.equal(requestedMac({ object: {}, args: { MAC: "02-AB-00-00-00-03" } }), "02:ab:00:00:00:03");
});

t.test("requestedMac refuses an invalid address and names its source", async (t) => {
  const words = "must be a unicast MAC address such as 02:00:00:00:00:01, not";
  for (const [call, code, message] of [
    [{ object: { runtimeConfig: { mac: 5 } }, args }, 7, `runtimeConfig.mac: ${words} 5`],
    [{ object: { args: { cni: { mac: "x" } } }, args }, 7, `args.cni.mac: ${words} "x"`],
    [{ object: {}, args: { MAC: "ff:ff:ff:ff:ff:ff" } }, 4, `CNI_ARGS: MAC: ${words} "ff:ff:ff:ff:ff:ff"`],
  ] as const)
    t.throws(() => requestedMac(call, configured), { name: "CniError", code, message });
});
