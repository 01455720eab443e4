// Binds a device to VFIO and back on a node in memory: drivers, overrides, names of links.
import t from "tap";
import { factText } from "../../../lib/fact.ts";
import type { BindDriver } from "../../../lib/plan/device.ts";
import { begin, configure, devicesOf, group, revert, toVfio, vf, vfs } from "./igb.ts";

t.test("a device is bound to vfio-pci; undo resets and rebinds it, and its link gets its name back", async (t) => {
  const { node, devices } = begin();
  node.pci.rename("eth3", "sriov1");
  const change = { ...toVfio, links: ["sriov1"] };
  devices.perform(change);
  t.ok(node.pci.files.has(`/dev/vfio/${group}`));
  t.strictSame([node.pci.driverOf(vf), devices.differences(change).map(factText)], ["vfio-pci", []]);
  revert(devices, change);
  t.strictSame([node.pci.driverOf(vf), node.pci.resets], ["igbvf", [vf]]);
  t.strictSame(node.readDirectory(`/sys/bus/pci/devices/${vf}/net`), ["sriov1"]);
  t.equal(node.readFile(`/sys/bus/pci/devices/${vf}/driver_override`), "(null)\n");
  t.strictSame(devices.differences(change).map(factText), [`${vf}: driver is igbvf, not vfio-pci`]);
});

t.test("a missing module is loaded; an unknown driver is an error before anything is changed", async (t) => {
  const { node, devices } = begin();
  node.modules.set("mlx5_vfio_pci", "mlx5_vfio_pci");
  node.modules.set("empty-vfio-pci", "something-else");
  devices.perform({ ...toVfio, to: { driver: "mlx5_vfio_pci" } });
  t.equal(node.pci.driverOf(vf), "mlx5_vfio_pci");
  const other = begin();
  other.node.modules.set("empty-vfio-pci", "something-else");
  t.throws(() => other.devices.perform({ ...toVfio, to: { driver: "empty-vfio-pci" } }), {
    message: "empty-vfio-pci: module loaded, but it registers no PCI driver of that name",
  });
  t.equal(other.node.pci.driverOf(vf), "igbvf");
});

t.test("a driver that refuses the device is an error, and undo returns the device to its own driver", async (t) => {
  const { node, devices } = begin();
  node.pci.failing.add("vfio-pci");
  t.throws(() => devices.perform(toVfio), { message: /vfio-pci did not bind to it \(driver: none\)/ });
  revert(devices, toVfio);
  t.strictSame([node.pci.driverOf(vf), node.readDirectory(`/sys/bus/pci/devices/${vf}/net`)], ["igbvf", ["eth3"]]);
});

t.test("a device node that does not appear is an error that names what should create it", async (t) => {
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

t.test("a device stays bound to VFIO while a process has it open", async (t) => {
  const { node, devices } = begin();
  devices.perform(toVfio);
  node.pci.holders.set(group, { pid: 4711, comm: "qemu-kvm", device: true });
  t.throws(() => revert(devices, toVfio), { message: `/dev/vfio/${group}: is open in another process` });
  t.equal(node.pci.driverOf(vf), "vfio-pci");
  node.meanwhile = () => node.pci.holders.clear();
  revert(devices, toVfio);
  t.equal(node.pci.driverOf(vf), "igbvf");
});

t.test("a device that was bound to another driver after ADD stays there; undo clears only our override", async (t) => {
  const { node, devices } = begin();
  devices.perform(toVfio);
  node.pci.unbind(vf);
  node.pci.files.file("/sys/bus/pci/drivers/pci-stub/bind", "");
  node.pci.write(`/sys/bus/pci/devices/${vf}/driver_override`, "pci-stub");
  node.pci.probe(vf);
  revert(devices, { ...toVfio, from: { driver: "igbvf", override: "igbvf" } });
  t.strictSame(
    [node.pci.driverOf(vf), node.readFile(`/sys/bus/pci/devices/${vf}/driver_override`)],
    ["pci-stub", "igbvf\n"],
  );
  t.strictSame(node.pci.resets, []);
});

t.test("a link that is in use after ADD is neither set down nor renamed", async (t) => {
  const { node, devices } = begin();
  devices.perform(toVfio);
  node.pci.unbind(vf);
  node.pci.write(`/sys/bus/pci/devices/${vf}/driver_override`, "\n");
  node.pci.probe(vf);
  node.pci.rename("eth3", "theirs");
  const link = node.pci.links.find(({ name }) => name === "theirs")!;
  link.up = true;
  revert(devices, toVfio);
  t.strictSame([link.name, link.up], ["theirs", true]);
  node.pci.moveAway("theirs", "/run/netns/pod");
  revert(devices, toVfio);
});

t.test("undo fails if the driver refuses its own device", async (t) => {
  const { node, devices } = begin();
  devices.perform(toVfio);
  node.pci.failing.add("igbvf");
  t.throws(() => revert(devices, toVfio), { message: `${vf}: driver is none, and igbvf did not take it back` });
  node.pci.failing.clear();
  revert(devices, toVfio);
  t.equal(node.pci.driverOf(vf), "igbvf");
});

t.test("VFs that are rebound at the same time get their own names, though the kernel swaps them", async (t) => {
  const { node, devices } = begin();
  const first: BindDriver = { ...toVfio, device: vfs[0]!, links: ["eth2"] };
  devices.perform(first);
  devices.perform(toVfio);
  // The kernel assigns the first free name: VF 1 gets eth2. Before VF 1 is renamed to eth3, VF 0
  // is rebound, gets eth3, and needs eth2.
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
    revert(other, first);
  };
  revert(devices, toVfio);
  t.equal(node.meanwhile, undefined, "one has waited for the other");
  t.strictSame(node.readDirectory(`/sys/bus/pci/devices/${vf}/net`), ["eth3"]);
  t.strictSame(node.readDirectory(`/sys/bus/pci/devices/${vfs[0]}/net`), ["eth2"]);
});

t.test("the VF is rebound even if another link keeps its name", async (t) => {
  const { node, devices } = begin();
  devices.perform(toVfio);
  node.pci.rename("eth4", "eth3");
  revert(devices, toVfio);
  t.equal(node.pci.driverOf(vf), "igbvf");
  t.strictSame(node.readDirectory(`/sys/bus/pci/devices/${vf}/net`), ["eth4"]);
});

t.test("undo loads the module of the device's own driver if it was unloaded after ADD", async (t) => {
  const { node, devices } = begin();
  devices.perform(toVfio);
  const directory = "/sys/bus/pci/drivers/igbvf";
  node.pci.files.remove(directory);
  t.throws(() => revert(devices, toVfio), { message: /igbvf/ });
  node.modules.set("igbvf", "igbvf");
  revert(devices, toVfio);
  t.equal(node.pci.driverOf(vf), "igbvf");
});

t.test("undo changes nothing while a process has the VF open", async (t) => {
  for (const bound of [true, false]) {
    const { node, devices, row } = begin();
    const change = configure({ trust: true });
    const changes = bound ? [change, toVfio] : [change];
    if (!bound) devices.perform(toVfio);
    for (const one of changes) devices.perform(one);
    node.pci.holders.set(group, { pid: 4711, comm: "qemu-kvm", device: true });
    t.throws(() => revert(devices, ...changes), { message: /is open in another process/ });
    t.strictSame([row.trust, node.pci.driverOf(vf)], [1, "vfio-pci"]);
    node.pci.holders.clear();
    const free = node.deeds.length;
    node.before = (deed) => {
      // No process can open the device without a driver, or while this process has the group open.
      if (deed.includes("trust") && bound) t.equal(node.pci.driverOf(vf), undefined);
    };
    revert(devices, ...changes);
    t.ok(node.deeds.length > free);
    t.strictSame([row.trust, node.pci.driverOf(vf)], [0, bound ? "igbvf" : "vfio-pci"]);
  }
});
