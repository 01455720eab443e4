// What a change does to a node, and what becomes of it, on one in memory: VFs' settings, drivers, links' names, files.
import t from "tap";
import { NodeDevices } from "../../../lib/kernel/devices.ts";
import { Rtnetlink } from "../../../lib/netlink/client.ts";
import type { BindDriver, ConfigureVf, VfSettings } from "../../../lib/plan/device.ts";
import { capture } from "../sysfs/captures.ts";
import { igbNode, type MemoryNode } from "../sysfs/memory-node.ts";
import { noMac } from "../sysfs/memory-pci.ts";
import { vfSetting } from "../sysfs/memory-rtnetlink.ts";

const { pf, vfs, group } = capture;
const vf = vfs[1]!;
const mac = "02:00:00:00:00:01";

function devicesOf(node: MemoryNode): NodeDevices {
  const socket = node.netlinkSocket();
  const rtnl = new Rtnetlink({
    send: (datagram) => node.send(socket, datagram),
    receive: () => node.receive(socket),
    close: () => node.close(socket),
  });
  return new NodeDevices(node, rtnl, {
    loadModule: (name) => node.run("/usr/sbin/modprobe", { args: [name] }),
    replaceFile: (path, text) => node.pci.files.file(path, text),
    discardDraft: () => undefined,
    unlink: (path) => node.pci.files.remove(path),
  });
}

function begin(): { node: MemoryNode; devices: NodeDevices; row: ReturnType<typeof rowOf> } {
  const node = igbNode();
  return { node, devices: devicesOf(node), row: rowOf(node) };
}

function rowOf(node: MemoryNode) {
  return node.pci.vfs.get(pf)![1]!;
}

const untouched = {
  mac: noMac,
  vlan: { id: 0, qos: 0, protocol: "802.1q" },
  rate: { least: 0, most: 0 },
  spoofCheck: true,
  trust: false,
  linkState: "auto",
} as const;

function configure(to: VfSettings, from: VfSettings = {}): ConfigureVf {
  const before = Object.entries(untouched).filter(([name]) => Object.hasOwn(to, name));
  return { do: "configureVf", pf, index: 1, from: { ...Object.fromEntries(before), ...from }, to };
}

const toVfio: BindDriver = {
  do: "bindDriver",
  device: vf,
  from: { driver: "igbvf" },
  to: { driver: "vfio-pci" },
  links: ["eth3"],
};

// ---- settings

t.test("the VF is told as its PF has it", async (t) => {
  const { node, devices, row } = begin();
  t.strictSame(devices.vf({ pf, index: 1 }), { uplink: "eth0", mtu: 1500, up: true, settings: untouched });
  node.down.add("eth0");
  Object.assign(row, { vlan: 7, qos: 2, protocol: 0x88a8, trust: 0xffffffff, spoofCheck: 0xffffffff, linkState: 9 });
  t.strictSame(devices.vf({ pf, index: 1 }), {
    uplink: "eth0",
    mtu: 1500,
    up: false,
    // What the driver does not know is left out.
    settings: { mac: noMac, vlan: { id: 7, qos: 2, protocol: "802.1ad" }, rate: { least: 0, most: 0 } },
  });
  t.throws(() => devices.vf({ pf, index: 5 }), { message: "eth0: tells nothing of its VF 5" });
});

t.test("what was asked for is sent, each once, the MAC address last, and nothing else", async (t) => {
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

t.test("what is so already is not sent", async (t) => {
  const { node, devices, row } = begin();
  Object.assign(row, { vlan: 100, trust: 1 });
  devices.perform(
    configure({ vlan: { id: 100, qos: 0, protocol: "802.1q" }, trust: true, spoofCheck: true, linkState: "auto" }),
  );
  t.strictSame(node.deeds, []);
  devices.perform(configure({ vlan: { id: 100, qos: 1, protocol: "802.1q" } }));
  t.equal(node.deeds.length, 1, "another priority is another VLAN");
});

t.test("a refusal says which setting of which VF, in the kernel's words, and what the driver is", async (t) => {
  const cases: [VfSettings, RegExp][] = [
    [{ linkState: "enable" }, /^set eth0 VF 1: link state: .*\(EOPNOTSUPP\); the PF's driver igb has no such setting$/],
    [
      { vlan: { id: 1, qos: 0, protocol: "802.1ad" } },
      /^set eth0 VF 1: VLAN: .*\(EPROTONOSUPPORT\); the PF's driver igb has no such setting$/,
    ],
    [
      { rate: { least: 10, most: 100 } },
      /^set eth0 VF 1: tx rate: .*\(EINVAL\); .*it may know no least one, none above the link's speed, and none without a carrier$/,
    ],
    [{ rate: { least: 0, most: 4_000_000 } }, /tx rate: .*\(EINVAL\)/],
    [{ mac: "01:00:00:00:00:01" }, /^set eth0 VF 1: MAC: .*\(EINVAL\); the PF's driver igb refused it$/],
  ];
  for (const [to, message] of cases)
    t.throws(() => begin().devices.perform(configure(to)), { message, cause: { name: "NetlinkError" } });
});

t.test("a setting that the kernel took and the PF does not have is an error", async (t) => {
  const { node, devices } = begin();
  Object.defineProperty(rowOf(node), "trust", { get: () => 0, set: () => undefined });
  t.throws(() => devices.perform(configure({ trust: true })), {
    message: "eth0 VF 1: trust is off although the kernel took on",
  });
});

t.test("taking settings back goes on past failures, and tells them all", async (t) => {
  const { node, devices, row } = begin();
  const change = configure({ vlan: { id: 100, qos: 0, protocol: "802.1q" }, spoofCheck: false, trust: true, mac });
  devices.perform(change);
  node.refusals.set(vfSetting.vlans, 22);
  node.refusals.set(vfSetting.trust, 95);
  t.throws(() => devices.revert(change), { errors: [{ message: /VLAN/ }, { message: /trust/ }] });
  t.match(row, { vlan: 100, trust: 1, spoofCheck: 1, isAdministrative: false });
  node.refusals.clear();
  devices.revert(change);
  t.match(row, { vlan: 0, trust: 0 });
});

t.test("a MAC address that the VF's driver picked meanwhile is not an administrator's: it is left alone", async (t) => {
  const { node, devices, row } = begin();
  node.pci.unbind(vf);
  node.pci.probe(vf);
  const picked = row.mac;
  t.not(picked, noMac);
  devices.revert(configure({ mac }, { mac: noMac }));
  t.strictSame([row.mac, node.deeds], [picked, []]);
});

t.test("where the VF is on its network driver, that tells the PF anew which MAC address it has", async (t) => {
  const { node, devices, row } = begin();
  const change = configure({ mac });
  devices.perform(change);
  devices.revert(change);
  t.equal(row.isAdministrative, false);
  const { name, mac: picked } = node.pci.links.find(({ device }) => device === vf)!;
  t.strictSame([name, picked], ["eth3", row.mac], "otherwise the PF would drop its frames");
});

t.test("the PF is found by whatever name it has by now", async (t) => {
  const { node, devices, row } = begin();
  const change = configure({ trust: true });
  devices.perform(change);
  node.pci.rename("eth0", "ens1f0np0");
  t.strictSame(devices.differences(change), []);
  row.trust = 0;
  t.strictSame(devices.differences(change), ["ens1f0np0 VF 1: trust is off, not on"]);
  devices.revert(change);
});

t.test("CHECK names every setting that differs, and none that was not asked for", async (t) => {
  const { devices, row } = begin();
  const change = configure({ mac, vlan: { id: 100, qos: 3, protocol: "802.1q" }, rate: { least: 0, most: 200 } });
  Object.assign(row, { mac: "02:00:00:00:00:02", isAdministrative: true, vlan: 7, trust: 1 });
  t.strictSame(devices.differences(change), [
    "eth0 VF 1: VLAN is 7, QoS 0, 802.1q, not 100, QoS 3, 802.1q",
    "eth0 VF 1: tx rate is 0 to 0 Mbit/s, not 0 to 200 Mbit/s",
    "eth0 VF 1: MAC is 02:00:00:00:00:02, not 02:00:00:00:00:01",
  ]);
});

// ---- drivers

t.test("a device goes to vfio-pci, and back with a reset, and its link has its name again", async (t) => {
  const { node, devices } = begin();
  node.pci.rename("eth3", "sriov1");
  const change = { ...toVfio, links: ["sriov1"] };
  devices.perform(change);
  t.ok(node.pci.files.has(`/dev/vfio/${group}`));
  t.strictSame([node.pci.driverOf(vf), devices.differences(change)], ["vfio-pci", []]);
  devices.revert(change);
  t.strictSame([node.pci.driverOf(vf), node.pci.resets], ["igbvf", [vf]]);
  t.strictSame(node.readDirectory(`/sys/bus/pci/devices/${vf}/net`), ["sriov1"]);
  t.equal(node.readFile(`/sys/bus/pci/devices/${vf}/driver_override`), "(null)\n");
  t.strictSame(devices.differences(change), [`${vf}: driver is igbvf, not vfio-pci`]);
});

t.test(
  "a driver whose module is not loaded is loaded; one that there is not is an error before anything is changed",
  async (t) => {
    const { node, devices } = begin();
    node.modules.set("mlx5_vfio_pci", "mlx5_vfio_pci");
    node.modules.set("empty-vfio-pci", "something-else");
    devices.perform({ ...toVfio, to: { driver: "mlx5_vfio_pci" } });
    t.equal(node.pci.driverOf(vf), "mlx5_vfio_pci");
    const other = begin();
    other.node.modules.set("empty-vfio-pci", "something-else");
    t.throws(() => other.devices.perform({ ...toVfio, to: { driver: "empty-vfio-pci" } }), {
      message: "empty-vfio-pci: its module is loaded, and there is no such PCI driver",
    });
    t.equal(other.node.pci.driverOf(vf), "igbvf");
  },
);

t.test(
  "a driver that does not take the device is an error, and taking the change back gives it to its own",
  async (t) => {
    const { node, devices } = begin();
    node.pci.failing.add("vfio-pci");
    t.throws(() => devices.perform(toVfio), { message: /vfio-pci did not take it \(its driver is none\)/ });
    devices.revert(toVfio);
    t.strictSame([node.pci.driverOf(vf), node.readDirectory(`/sys/bus/pci/devices/${vf}/net`)], ["igbvf", ["eth3"]]);
  },
);

t.test("a device node that does not come is an error that says what is expected to make it", async (t) => {
  const { node, devices } = begin();
  const before = node.monotonic();
  node.meanwhile = () => undefined;
  node.pci.probe = (address) => {
    Object.getPrototypeOf(node.pci).probe.call(node.pci, address);
    node.pci.files.remove(`/dev/vfio/${group}`);
  };
  t.throws(() => devices.perform(toVfio), {
    message: /^\/dev\/vfio\/10: is not there although .* expected udev or devtmpfs/,
  });
  t.ok(node.monotonic() - before > 4000);
});

t.test("a device is not taken from VFIO while somebody has it open", async (t) => {
  const { node, devices } = begin();
  devices.perform(toVfio);
  node.pci.holders.set(group, { pid: 4711, comm: "qemu-kvm", device: true });
  t.throws(() => devices.revert(toVfio), { message: `/dev/vfio/${group}: is open in another process` });
  t.equal(node.pci.driverOf(vf), "vfio-pci");
  node.meanwhile = () => node.pci.holders.clear();
  devices.revert(toVfio);
  t.equal(node.pci.driverOf(vf), "igbvf");
});

t.test(
  "a device that somebody gave to another driver since stays there; only our override is taken back",
  async (t) => {
    const { node, devices } = begin();
    devices.perform(toVfio);
    node.pci.unbind(vf);
    node.pci.files.file("/sys/bus/pci/drivers/pci-stub/bind", "");
    node.pci.write(`/sys/bus/pci/devices/${vf}/driver_override`, "pci-stub");
    node.pci.probe(vf);
    devices.revert({ ...toVfio, from: { driver: "igbvf", override: "igbvf" } });
    t.strictSame(
      [node.pci.driverOf(vf), node.readFile(`/sys/bus/pci/devices/${vf}/driver_override`)],
      ["pci-stub", "igbvf\n"],
    );
    t.strictSame(node.pci.resets, []);
  },
);

t.test("a link that somebody uses since is neither taken down nor renamed", async (t) => {
  const { node, devices } = begin();
  devices.perform(toVfio);
  node.pci.unbind(vf);
  node.pci.write(`/sys/bus/pci/devices/${vf}/driver_override`, "\n");
  node.pci.probe(vf);
  node.pci.rename("eth3", "theirs");
  const link = node.pci.links.find(({ name }) => name === "theirs")!;
  link.up = true;
  devices.revert(toVfio);
  t.strictSame([link.name, link.up], ["theirs", true]);
  node.pci.moveAway("theirs", "/run/netns/pod");
  devices.revert(toVfio);
});

t.test("a driver that does not take its device back is an error", async (t) => {
  const { node, devices } = begin();
  devices.perform(toVfio);
  node.pci.failing.add("igbvf");
  t.throws(() => devices.revert(toVfio), { message: `${vf}: driver is none, and igbvf did not take it back` });
  node.pci.failing.clear();
  devices.revert(toVfio);
  t.equal(node.pci.driverOf(vf), "igbvf");
});

t.test(
  "VFs that come back at the same time get their own names, though the kernel gives each the other's",
  async (t) => {
    const { node, devices } = begin();
    const first: BindDriver = { ...toVfio, device: vfs[0]!, links: ["eth2"] };
    devices.perform(first);
    devices.perform(toVfio);
    // The kernel gives the first free name: VF 1 gets eth2. Before it is eth3 again VF 0 comes back, gets that, and wants eth2.
    const other = devicesOf(node);
    node.before = (deed) => {
      if (!deed.includes('"name":"eth3"')) return;
      node.before = undefined;
      node.pci.write(`/sys/bus/pci/devices/${vfs[0]}/driver_override`, "\n");
      node.pci.unbind(vfs[0]!);
      node.pci.probe(vfs[0]!);
    };
    node.meanwhile = () => {
      node.meanwhile = undefined;
      other.revert(first);
    };
    devices.revert(toVfio);
    t.equal(node.meanwhile, undefined, "one has waited for the other");
    t.strictSame(node.readDirectory(`/sys/bus/pci/devices/${vf}/net`), ["eth3"]);
    t.strictSame(node.readDirectory(`/sys/bus/pci/devices/${vfs[0]}/net`), ["eth2"]);
  },
);

t.test("a name that another link keeps does not keep the VF from coming back", async (t) => {
  const { node, devices } = begin();
  devices.perform(toVfio);
  node.pci.rename("eth4", "eth3");
  devices.revert(toVfio);
  t.equal(node.pci.driverOf(vf), "igbvf");
  t.strictSame(node.readDirectory(`/sys/bus/pci/devices/${vf}/net`), ["eth4"]);
});

// ---- files

t.test("a file is taken back only as it was written", async (t) => {
  const { node, devices } = begin();
  const change = { do: "file", path: "/run/info.json", to: "ours" } as const;
  devices.perform(change);
  t.strictSame(devices.differences(change), []);
  devices.revert(change);
  t.notOk(node.pci.files.has("/run/info.json"));
  t.strictSame(devices.differences(change), ["/run/info.json: is not as ADD wrote it"]);
  devices.revert(change);
  devices.perform({ ...change, from: "before" });
  devices.revert({ ...change, from: "before" });
  t.equal(node.readFile("/run/info.json"), "before");
  node.pci.files.file("/run/info.json", "somebody else's");
  devices.revert(change);
  t.equal(node.readFile("/run/info.json"), "somebody else's");
});
