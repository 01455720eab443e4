// Sets a VF through its PF's link on a node in memory, and undoes it.
import t from "tap";
import { factText } from "../../../lib/fact.ts";
import type { VfSettings } from "../../../lib/plan/device.ts";
import { noMac } from "../sysfs/memory-pci.ts";
import { vfSetting } from "../sysfs/memory-rtnetlink.ts";
import { begin, configure, pf, revert, rowOf, untouched, vf } from "./igb.ts";

const mac = "02:00:00:00:00:01";

t.test("a VF's settings are read from its PF", async (t) => {
  const { node, devices, row } = begin();
  const uplinkIndex = node.pci.links.find(({ name }) => name === "eth0")!.index;
  t.strictSame(devices.vfs.get({ pf, index: 1 }), {
    uplink: "eth0",
    uplinkIndex,
    mtu: 1500,
    up: true,
    settings: untouched,
  });
  node.down.add("eth0");
  Object.assign(row, { vlan: 7, qos: 2, protocol: 0x88a8, trust: 0xffffffff, spoofCheck: 0xffffffff, linkState: 9 });
  t.strictSame(devices.vfs.get({ pf, index: 1 }), {
    uplink: "eth0",
    uplinkIndex,
    mtu: 1500,
    up: false,
    // Settings that the driver does not report are left out.
    settings: { mac: noMac, vlan: { id: 7, qos: 2, protocol: "802.1ad" }, rate: { least: 0, most: 0 } },
  });
  t.throws(() => devices.vfs.get({ pf, index: 5 }), { message: "eth0: the kernel reports no VF 5" });
});

t.test("exactly the requested settings are sent, each once, the MAC address last", async (t) => {
  const { node, devices, row } = begin();
  devices.perform(
    configure({
      mac,
      vlan: { id: 100, qos: 3, protocol: "802.1q" },
      rate: { least: 0, most: 200 },
      spoofCheck: false,
      trust: true,
    }),
  );
  t.match(row, { mac, vlan: 100, qos: 3, most: 200, spoofCheck: 0, trust: 1 });
  t.strictSame(
    node.deeds.map((deed) => /"list":\[\{"(\w+)"/.exec(deed)?.[1]),
    ["vlans", "rate", "spoofCheck", "trust", "mac"],
  );
});

t.test("a setting that has the value already is not sent", async (t) => {
  const { node, devices, row } = begin();
  Object.assign(row, { vlan: 100, trust: 1 });
  devices.perform(
    configure({ vlan: { id: 100, qos: 0, protocol: "802.1q" }, trust: true, spoofCheck: true, linkState: "auto" }),
  );
  t.strictSame(node.deeds, []);
  devices.perform(configure({ vlan: { id: 100, qos: 1, protocol: "802.1q" } }));
  t.equal(node.deeds.length, 1, "another priority is another VLAN");
});

t.test(
  "a MAC address that the PF reports is set again, because a reset may clear it, but not while the VF is on its own driver",
  async (t) => {
    const { node, devices, row } = begin();
    row.mac = mac;
    devices.perform(configure({ mac }, { mac }));
    t.strictSame([node.deeds, row.isAdministrative], [[], false], "on its own driver");
    node.pci.unbind(vf);
    devices.perform(configure({ mac }, { mac }));
    t.strictSame([node.deeds.length, row.isAdministrative, row.mac], [1, true, mac]);
  },
);

t.test("a refusal names the setting, the VF, the kernel's error and the driver", async (t) => {
  const cases: [VfSettings, RegExp][] = [
    [{ linkState: "enable" }, /^set eth0 VF 1: link state: .*\(EOPNOTSUPP\); the PF's driver igb has no such setting$/],
    [
      { vlan: { id: 1, qos: 0, protocol: "802.1ad" } },
      /^set eth0 VF 1: VLAN: .*\(EPROTONOSUPPORT\); the PF's driver igb has no such setting$/,
    ],
    [
      { rate: { least: 10, most: 100 } },
      /^set eth0 VF 1: tx rate: .*\(EINVAL\); .*it may not support a minimum rate, rates above the link speed, or any rate without carrier$/,
    ],
    [{ rate: { least: 0, most: 4_000_000 } }, /tx rate: .*\(EINVAL\)/],
    [{ mac: "01:00:00:00:00:01" }, /^set eth0 VF 1: MAC: .*\(EINVAL\); the PF's driver igb refused it$/],
  ];
  for (const [to, message] of cases)
    t.throws(() => begin().devices.perform(configure(to)), { message, cause: { name: "NetlinkError" } });
});

t.test("a setting that the kernel accepted but the PF does not report is an error", async (t) => {
  const { node, devices } = begin();
  Object.defineProperty(rowOf(node), "trust", { get: () => 0, set: () => undefined });
  t.throws(() => devices.perform(configure({ trust: true })), {
    message: "eth0 VF 1: trust is off although the kernel took on",
  });
});

t.test("undo continues after failures, and reports them all", async (t) => {
  const { node, devices, row } = begin();
  const change = configure({ vlan: { id: 100, qos: 0, protocol: "802.1q" }, spoofCheck: false, trust: true, mac });
  devices.perform(change);
  node.refusals.set(vfSetting.vlans, 22);
  node.refusals.set(vfSetting.trust, 95);
  t.throws(() => revert(devices, change), { errors: [{ message: /VLAN/ }, { message: /trust/ }] });
  t.match(row, { vlan: 100, trust: 1, spoofCheck: 1, isAdministrative: false });
  node.refusals.clear();
  revert(devices, change);
  t.match(row, { vlan: 0, trust: 0 });
});

t.test("a MAC address that the VF's driver picked after ADD is left alone", async (t) => {
  const { node, devices, row } = begin();
  node.pci.unbind(vf);
  node.pci.probe(vf);
  const picked = row.mac;
  t.not(picked, noMac);
  revert(devices, configure({ mac }, { mac: noMac }));
  t.strictSame([row.mac, node.deeds], [picked, []]);
});

t.test("if the VF is on its network driver, undo makes the driver report its MAC address to the PF", async (t) => {
  const { node, devices, row } = begin();
  const change = configure({ mac });
  devices.perform(change);
  revert(devices, change);
  t.equal(row.isAdministrative, false);
  const { name, mac: picked } = node.pci.links.find(({ device }) => device === vf)!;
  t.strictSame([name, picked], ["eth3", row.mac], "otherwise the PF would drop its frames");
});

t.test("a PF that missed the MAC address of the VF's driver gets it, if it had one before", async (t) => {
  for (const picked of [true, false]) {
    const { node, devices, row } = begin();
    const { mac: before } = node.pci.links.find(({ device }) => device === vf)!;
    // The state after a DEL while the PF was down.
    row.mac = noMac;
    revert(devices, { ...configure({ mac }), ...(picked && { picked }) });
    const { name, mac: now } = node.pci.links.find(({ device }) => device === vf)!;
    t.strictSame([name, now, row.mac], picked ? ["eth3", row.mac, now] : ["eth3", before, noMac]);
    t.equal(row.mac === noMac, !picked);
  }
});

t.test("the PF is found after its link was renamed", async (t) => {
  const { node, devices, row } = begin();
  const change = configure({ trust: true });
  devices.perform(change);
  node.pci.rename("eth0", "ens1f0np0");
  t.strictSame(devices.differences(change).map(factText), []);
  row.trust = 0;
  t.strictSame(devices.differences(change).map(factText), ["ens1f0np0 VF 1: trust is off, not on"]);
  revert(devices, change);
});

t.test("CHECK names every setting that differs, and none that was not requested", async (t) => {
  const { devices, row } = begin();
  const change = configure({ mac, vlan: { id: 100, qos: 3, protocol: "802.1q" }, rate: { least: 0, most: 200 } });
  Object.assign(row, { mac: "02:00:00:00:00:02", isAdministrative: true, vlan: 7 });
  t.strictSame(devices.differences(change).map(factText), [
    "eth0 VF 1: VLAN is 7, QoS 0, 802.1q, not 100, QoS 3, 802.1q",
    "eth0 VF 1: tx rate is 0 to 0 Mbit/s, not 0 to 200 Mbit/s",
    "eth0 VF 1: MAC is 02:00:00:00:00:02, not 02:00:00:00:00:01",
  ]);
  row.trust = 1;
  t.notMatch(devices.differences(change).map(factText).join(), /MAC/, "a guest that is trusted may have another one");
});

t.test("if the PF's driver cannot clear a MAC address, undo sets a random one", async (t) => {
  const { node, devices, row } = begin();
  node.pci.unbind(vf);
  const change = configure({ mac });
  devices.perform(change);
  node.isMacForEver = true;
  revert(devices, change);
  t.match(row.mac, /^02(:[0-9a-f]{2}){5}$/);
  t.not(row.mac, mac);
  devices.perform(change);
  node.refusals.set(vfSetting.mac, 22);
  t.throws(() => revert(devices, change), { message: /^set eth0 VF 1: MAC: .*EINVAL/ });
});

t.test("a PF with more VFs than a netlink message can hold is reported by name", async (t) => {
  const { node, devices } = begin();
  node.pci.files.file(`${node.pci.directoryOf(pf)}/sriov_numvfs`, "400\n");
  node.receive = () => {
    throw Object.assign(new Error("recv: Message too long (EMSGSIZE)"), { code: "EMSGSIZE" });
  };
  t.throws(() => devices.vfs.get({ pf, index: 1 }), {
    message:
      "eth0: has 400 VFs, but one netlink message holds about 280; create fewer VFs (recv: Message too long (EMSGSIZE))",
  });
});
