// sriov-vfio from outside, on real VFs of an emulated igb NIC: what it makes of one, what VFIO says of that, and what is there afterwards.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import t, { type Test } from "tap";
import { createNamespace } from "../../harness/namespaces.ts";
import { type Answer, type Call, callPlugin } from "../../harness/plugin.ts";
import { bindTo, createVfs, driverOf, groupOf, netdevOf, openVfio, pciPath, type Vf } from "../../harness/sriov.ts";

const done = { status: 0, stdout: "" };
const asked = { vlan: 100, vlanQoS: 3, max_tx_rate: 100, spoofchk: "off", trust: "on" };
let containers = 0;

await execa("ip", ["link", "set", "eth0", "up"]);

/** VFs of eth0, once that has a carrier again: igb loses it where it makes VFs, and takes no rate without. */
async function vfsOfEth0(t: Test, count: number, options?: { probe: boolean }): Promise<Vf[]> {
  const vfs = createVfs(t, "eth0", count, options);
  while (readFileSync("/sys/class/net/eth0/carrier", "utf8") !== "1\n") await sleep(100);
  return vfs;
}

/** A pod that is to have the VF, and how the plugin is called for it. */
async function podWith(t: Test, vf: Vf, more: object = {}) {
  const { path } = await createNamespace(t);
  const directory = mkdtempSync("/run/sriov-");
  t.teardown(() => rmSync(directory, { recursive: true }));
  containers += 1;
  const call: Call = { containerId: `c${containers}`, netns: path, ifname: "net1" };
  const info = `${directory}/devinfo/cni/info.json`;
  const netconf = {
    ...{ cniVersion: "1.1.0", name: "fast", type: "sriov-vfio", deviceID: vf.address, dataDir: `${directory}/journal` },
    ...{ runtimeConfig: { CNIDeviceInfoFile: info } },
    ...more,
  };
  const run = (verb: string, extra: object = {}, other: Call = {}): Promise<Answer> =>
    callPlugin("sriov-vfio", verb, { ...call, ...other }, { ...netconf, ...extra });
  const check = (): Promise<Answer> => run("CHECK", { prevResult: { cniVersion: "1.1.0" } });
  return { run, check, call, netconf, info, journal: `${directory}/journal`, path };
}

/** How the VF is set up, as `ip` tells, without the MAC address that its own driver may have picked. */
async function settingsOf({ pf, index }: Vf): Promise<Record<string, unknown>> {
  const { stdout } = await execa("ip", ["-json", "link", "show", "dev", pf]);
  const { mac: _, address: __, ...settings } = JSON.parse(stdout)[0].vfinfo_list[index];
  return settings;
}

/** All that a DEL has to give back. */
async function stateOf(vf: Vf): Promise<object> {
  const override = readFileSync(`${pciPath(vf.address)}/driver_override`, "utf8").trim();
  return { driver: driverOf(vf.address), link: netdevOf(vf.address), override, settings: await settingsOf(vf) };
}

t.test("a VF on its network driver is set up, bound, opens by VFIO, and comes back whole", async (t) => {
  const [, vf] = (await vfsOfEth0(t, 2)) as [Vf, Vf];
  const before = await stateOf(vf);
  await execa("ip", ["link", "set", netdevOf(vf.address)!, "name", "chosen"]);
  const { run, check, info, journal, path } = await podWith(t, vf, asked);

  const { result } = await run("ADD", {}, { args: "MAC=02:00:00:00:00:77" });
  t.same(result, {
    cniVersion: "1.1.0",
    interfaces: [{ name: "net1", sandbox: path, mac: "02:00:00:00:00:77", mtu: 1500, pciID: vf.address }],
  });
  t.equal(driverOf(vf.address), "vfio-pci");
  t.match(await settingsOf(vf), {
    vlan_list: [{ vlan: 100, qos: 3 }],
    spoofchk: false,
    trust: true,
    rate: { max_tx: 100 },
  });
  t.match(JSON.parse(readFileSync(info, "utf8")), { type: "pci", pci: { "pci-address": vf.address } });

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
  t.same(readdirSync(journal), []);
  t.same(readdirSync(dirname(info)), [], "and no device information");
  t.match(await run("DEL"), done, "twice");
});

t.test("a VF that is on vfio-pci stays there, and gets its settings back", async (t) => {
  const [vf] = (await vfsOfEth0(t, 1, { probe: false })) as [Vf];
  bindTo(vf.address, "vfio-pci");
  const before = await stateOf(vf);
  const { run } = await podWith(t, vf, { ...asked, binding: "require-prebound" });
  t.match(await run("ADD"), { status: 0 });
  t.match(
    await run("DEL", { deviceID: undefined }, { netns: "" }),
    done,
    "without its namespace, and without the device",
  );
  t.same(await stateOf(vf), before);
});

t.test("what the PF's driver refuses is told, and nothing is left of the rest", async (t) => {
  const [vf] = (await vfsOfEth0(t, 1)) as [Vf];
  const before = await stateOf(vf);
  const cases = [
    [{ link_state: "enable" }, /set eth0 VF 0: link state: .*EOPNOTSUPP.*; the PF's driver igb has no such setting/],
    [{ vlan: 5, vlanProto: "802.1ad" }, /VLAN: .*EPROTONOSUPPORT/],
    [{ max_tx_rate: 4_000_000 }, /tx rate: .*EINVAL.*above the link's speed/],
    [{ min_tx_rate: 10 }, /tx rate: .*EINVAL/],
  ] as const;
  for (const [more, msg] of cases) {
    const { run, journal } = await podWith(t, vf, { spoofchk: "off", trust: "on", ...more });
    t.match(await run("ADD"), { status: 1, error: { code: 100, msg } });
    t.same(await stateOf(vf), before);
    t.same(readdirSync(journal), []);
  }
});

t.test("what cannot be had is refused with what to do, and nothing is changed", async (t) => {
  const [vf] = (await vfsOfEth0(t, 1)) as [Vf];
  const before = await stateOf(vf);
  const refused = async (more: object, error: object): Promise<void> => {
    const { run } = await podWith(t, vf, more);
    t.match(await run("ADD"), { status: 1, error });
    t.same(await stateOf(vf), before);
  };
  await refused({ deviceID: undefined }, { code: 7, msg: "deviceID: is missing", details: /resourceName/ });
  await refused({ deviceID: "0000:ff:00.0" }, { code: 102, msg: /is no PCI device/ });
  await refused({ deviceID: "0000:01:00.0" }, { code: 102, msg: /is a physical function, with 1 of 7 VFs/ });
  await refused({ binding: "require-prebound" }, { code: 102, msg: /is on igbvf, and binding is/ });
  await refused({ driver: "mlx5_vfio_pci", binding: "bind" }, { code: 102, msg: /mlx5_vfio_pci: / });
  await refused({ vlan: 0, vlanQoS: 1, spoofchk: "yes" }, { code: 7, msg: /spoofchk: must be "on" or "off"/ });
  await execa("ip", ["link", "set", "eth0", "down"]);
  await refused({}, { code: 102, msg: "eth0: the VF's PF is down", details: "ip link set eth0 up" });
  await execa("ip", ["link", "set", "eth0", "up"]);
});

t.test("a VF that a guest has open is waited for, and then named with the process", async (t) => {
  const [vf] = (await vfsOfEth0(t, 1)) as [Vf];
  const before = await stateOf(vf);
  const { run } = await podWith(t, vf);
  await run("ADD");
  const { close } = await openVfio(t, groupOf(vf.address)!, vf.address);
  const answer = await run("DEL", {}, { timeout: 60_000 });
  t.match(answer, { status: 1, error: { msg: /^\/dev\/vfio\/\d+: is open in python3 \(\d+\)$/ } });
  t.equal(driverOf(vf.address), "vfio-pci");
  const later = await podWith(t, vf);
  t.match(await later.run("ADD", { dataDir: `${later.journal}-other` }), {
    error: { code: 102, msg: /is open in python3/ },
  });
  const deleting = run("DEL", {}, { timeout: 60_000 });
  await close();
  t.match(await deleting, done);
  t.same(await stateOf(vf), before);
});

t.test("a VF is one attachment's: another waits until its pod is gone, and gets it as it was", async (t) => {
  const [vf] = (await vfsOfEth0(t, 1)) as [Vf];
  const before = await stateOf(vf);
  const dead = await podWith(t, vf, asked);
  const taken = await dead.run("ADD");
  t.match(taken, { status: 0 }, "", { taken });
  const shared = { dataDir: dead.journal };
  const { run, check } = await podWith(t, vf, shared);
  t.match(await run("ADD"), {
    error: { code: 102, msg: new RegExp(`${vf.address}: container ${dead.call.containerId} has it`) },
  });
  await execa("ip", ["netns", "del", dead.path.split("/").at(-1)!]);
  t.match(await run("ADD"), { status: 0 });
  t.match(
    await settingsOf(vf),
    { spoofchk: true, trust: false, rate: { max_tx: 0 } },
    "none of the dead pod's settings",
  );
  t.match(await dead.run("DEL"), done, "which late DEL of the dead one leaves alone");
  t.match(await check(), done);
  t.match(await run("DEL"), done);
  t.same(await stateOf(vf), before);
});

t.test("GC gives back what leaked in its network, and no other's", async (t) => {
  const vfs = await vfsOfEth0(t, 2);
  const before = await Promise.all(vfs.map(stateOf));
  const leaked = await podWith(t, vfs[0]!);
  const other = await podWith(t, vfs[1]!, { dataDir: leaked.journal, name: "slow" });
  for (const one of [leaked, other]) t.match(await one.run("ADD"), { status: 0 });
  t.match(await leaked.run("GC", { "cni.dev/valid-attachments": [] }), done);
  t.same(await stateOf(vfs[0]!), before[0]);
  t.equal(driverOf(vfs[1]!.address), "vfio-pci");
  t.match(await other.run("DEL"), done);
  t.same(await stateOf(vfs[1]!), before[1]);
});

t.test("a VF that was removed, or made anew, is nobody's any more", async (t) => {
  const [vf] = (await vfsOfEth0(t, 1)) as [Vf];
  const { run, journal } = await podWith(t, vf, asked);
  await run("ADD");
  const numvfs = `${pciPath("0000:01:00.0")}/sriov_numvfs`;
  writeFileSync(numvfs, "0");
  writeFileSync(numvfs, "1");
  const fresh = await stateOf(vf);
  t.match(await run("DEL"), done);
  t.same(await stateOf(vf), fresh);
  t.same(readdirSync(journal), []);
});

t.test("seven VFs at once, all of them back", async (t) => {
  const vfs = await vfsOfEth0(t, 7);
  const before = await Promise.all(vfs.map(stateOf));
  const pods = await Promise.all(vfs.map((vf) => podWith(t, vf, asked)));
  for (const answer of await Promise.all(pods.map(({ run }) => run("ADD", {}, { timeout: 60_000 }))))
    t.match(answer, { status: 0 });
  t.same([...new Set(vfs.map(({ address }) => driverOf(address)))], ["vfio-pci"]);
  for (const answer of await Promise.all(pods.map(({ run }) => run("DEL", {}, { timeout: 60_000 }))))
    t.match(answer, done);
  t.same(await Promise.all(vfs.map(stateOf)), before);
});

t.test("STATUS is content here", async (t) => {
  await vfsOfEth0(t, 1);
  t.match(
    await callPlugin("sriov-vfio", "STATUS", {}, { cniVersion: "1.1.0", name: "fast", type: "sriov-vfio" }),
    done,
  );
});
