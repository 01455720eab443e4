// Tests sriov-vfio on VFs of an emulated igb NIC: the VF's state after ADD, what VFIO reports, and
// the state after DEL.
import { readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { execa } from "execa";
import t from "tap";
import { callPlugin } from "../../../harness/plugin.ts";
import { bindTo, driverOf, groupOf, netdevOf, openVfio, type Vf } from "../../../harness/sriov.ts";
import { asked, done, podWith, settingsOf, stateOf, vfsOf } from "../pod.ts";

const [idle, vf] = (await vfsOf(t, "eth0", 2)) as [Vf, Vf];

t.test("ADD sets up and binds a VF from its network driver, VFIO opens it, and DEL restores it", async (t) => {
  const before = await stateOf(vf);
  const untouched = await stateOf(idle);
  await execa("ip", ["link", "set", netdevOf(vf.address)!, "name", "chosen"]);
  const { run, check, info, records, path } = await podWith(t, vf, asked);

  const { result } = await run("ADD", {}, { args: "MAC=02:00:00:00:00:77" });
  t.same(result, {
    cniVersion: "1.1.0",
    interfaces: [{ name: "net1", sandbox: path, mac: "02:00:00:00:00:77", mtu: 1500, pciID: vf.address }],
  });
  t.match(await stateOf(vf), {
    ...{ driver: "vfio-pci", override: "vfio-pci", link: undefined, mac: "02:00:00:00:00:77" },
    settings: { vlan_list: [{ vlan: 100, qos: 3 }], spoofchk: false, trust: true, rate: { max_tx: 100 } },
  });
  t.match(JSON.parse(readFileSync(info, "utf8")), { type: "pci", pci: { "pci-address": vf.address } });
  t.same(await stateOf(idle), untouched, "and the VF beside it is as it was");

  const { answer, close } = await openVfio(t, groupOf(vf.address)!, vf.address);
  t.same(answer, { viable: true, ids: "8086:10ca" });
  t.match(await check(), done, "also while a guest has it open");
  await close();

  await execa("ip", ["link", "set", "eth0", "vf", `${vf.index}`, "vlan", "7"]);
  t.match(await check(), {
    status: 1,
    error: { code: 101, msg: `eth0 VF ${vf.index}: VLAN is 7, QoS 0, 802.1q, not 100, QoS 3, 802.1q` },
  });

  t.match(await run("DEL"), done);
  t.same(await stateOf(vf), { ...before, link: "chosen" });
  t.same(records(), []);
  t.same(readdirSync(dirname(info)), [], "and no device information");
  t.match(await run("DEL"), done, "twice");
});

t.test("ADD uses the requested MAC address, else the administrator's, else a generated one", async (t) => {
  const own = await podWith(t, idle);
  const [first, again] = [await own.run("ADD"), await own.run("DEL").then(() => own.run("ADD"))];
  const mac = first.result?.interfaces?.[0]?.mac;
  t.match(mac, /^02:/);
  t.same(again.result, first.result, "the same at every attempt");
  t.match(await stateOf(idle), { mac });
  t.match(await own.run("DEL"), done);
  t.match(await stateOf(idle), { mac: "picked" });

  await execa("ip", ["link", "set", "eth0", "vf", `${idle.index}`, "mac", "02:00:00:00:00:aa"]);
  bindTo(idle.address, "igbvf");
  const before = await stateOf(idle);
  t.match(before, { mac: "02:00:00:00:00:aa" });
  for (const [args, expected] of [
    [undefined, "02:00:00:00:00:aa"],
    ["MAC=02:00:00:00:00:77", "02:00:00:00:00:77"],
  ] as const) {
    const { run } = await podWith(t, idle);
    const { result } = await run("ADD", {}, args === undefined ? {} : { args });
    t.match(result, { interfaces: [{ mac: expected }] });
    t.match(await stateOf(idle), { mac: expected });
    t.match(await run("DEL"), done);
    t.same(await stateOf(idle), before);
  }
});

t.test("DEL restores the settings of a VF that was on vfio-pci before ADD and leaves it there", async (t) => {
  bindTo(vf.address, "vfio-pci");
  const before = await stateOf(vf);
  const { run } = await podWith(t, vf, { ...asked, binding: "require-prebound" });
  t.match(await run("ADD"), { status: 0 });
  t.equal(driverOf(vf.address), "vfio-pci");
  t.match(await settingsOf(vf), { vlan_list: [{ vlan: 100, qos: 3 }] });
  t.match(await run("DEL", { deviceID: undefined }, { netns: "" }), done, "without namespace, and without the device");
  t.same(await stateOf(vf), before);
});

t.test("STATUS succeeds on a node with VFs and an IOMMU", async (t) => {
  t.match(
    await callPlugin("sriov-vfio", "STATUS", {}, { cniVersion: "1.1.0", name: "fast", type: "sriov-vfio" }),
    done,
  );
});
