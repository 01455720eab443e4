// VFIO: drivers, IOMMU groups and who has them open.
import t from "tap";
import * as vfio from "../../../lib/sysfs/vfio.ts";
import { capture } from "./captures.ts";
import { igbNode, type MemoryNode } from "./memory-node.ts";

const { pf, port, vfs, group } = capture;
const vf = vfs[1]!;

/** VF 1 on vfio-pci. */
function bound(): MemoryNode {
  const node = igbNode();
  node.pci.unbind(vf);
  node.writeFile(`/sys/bus/pci/devices/${vf}/driver_override`, "vfio-pci\n");
  node.pci.probe(vf);
  return node;
}

/** All of these in the group of VF 1, as without ACS. */
function together(node: MemoryNode, addresses: readonly string[]): MemoryNode {
  const { files } = node.pci;
  for (const address of addresses) {
    const directory = node.pci.directoryOf(address);
    files.link(
      `${directory}/iommu_group`,
      `${"../".repeat(directory.split("/").length - 2)}kernel/iommu_groups/${group}`,
    );
    files.link(`/sys/kernel/iommu_groups/${group}/devices/${address}`, `../../../..${directory.slice("/sys".length)}`);
  }
  return node;
}

t.test("VFIO's drivers are known by their names, its variants too, and nothing else", async (t) => {
  for (const driver of [
    "vfio-pci",
    "mlx5_vfio_pci",
    "hisi_acc_vfio_pci",
    "pds-vfio-pci",
    "nvgrace-gpu-vfio-pci",
    "vfio_pci",
  ])
    t.ok(vfio.isVfioDriver(driver), driver);
  for (const driver of [
    "igbvf",
    "vfio",
    "vfio-platform",
    "myvfio-pci",
    "vfio-pci-core",
    "uio_pci_generic",
    "",
    "../vfio-pci/x",
  ])
    t.notOk(vfio.isVfioDriver(driver), driver);
});

t.test("the group's number is the same whichever driver has the device", async (t) => {
  t.equal(vfio.groupOf(igbNode(), vf), group);
  t.equal(vfio.groupOf(bound(), vf), group);
  t.ok(vfio.hasIommu(igbNode()));
  const without = igbNode();
  without.pci.files.remove(`${without.pci.directoryOf(vf)}/iommu_group`);
  for (const one of without.pci.files.names("/sys/kernel/iommu_groups"))
    without.pci.files.remove(`/sys/kernel/iommu_groups/${one}`);
  t.equal(vfio.groupOf(without, vf), undefined);
  t.notOk(vfio.hasIommu(without));
});

t.test("a group with devices of other drivers is not viable, and each device is named", async (t) => {
  const node = together(igbNode(), [port, pf, vfs[0]!, vfs[2]!]);
  t.strictSame(vfio.offendersOf(node, group, vf), [
    { address: pf, driver: "igb" },
    { address: vfs[0], driver: "igbvf" },
    { address: vfs[2], driver: "igbvf" },
  ]);
  t.strictSame(
    vfio.membersOf(node, group).find(({ address }) => address === port),
    { address: port, driver: "pcieport" },
  );
});

t.test("devices without driver, or of VFIO, or a bridge's, keep a group viable", async (t) => {
  const node = together(igbNode(), [port, vfs[0]!, vfs[2]!]);
  node.pci.unbind(vfs[0]!);
  node.pci.unbind(vfs[2]!);
  node.writeFile(`/sys/bus/pci/devices/${vfs[2]}/driver_override`, "vfio-pci\n");
  node.pci.probe(vfs[2]!);
  t.strictSame(vfio.offendersOf(node, group, vf), []);
});

t.test("whileUnused holds the group open during the work, and closes it afterwards", async (t) => {
  const node = bound();
  const result = vfio.whileUnused(node, group, 1000, () => {
    t.throws(() => node.lock(`/dev/vfio/${group}`, 0), { code: "EBUSY" });
    return 7;
  });
  t.equal(result, 7);
  t.equal(node.open, 0);
  const failing = (): never => {
    throw new Error("no");
  };
  t.throws(() => vfio.whileUnused(node, group, 1000, failing), { message: "no" });
  t.equal(node.open, 0);
});

t.test("whileUnused waits for a group in use", async (t) => {
  const node = bound();
  node.pci.holders.set(group, { pid: 4711, comm: "qemu-kvm", device: true });
  const end = node.monotonic() + 3000;
  node.meanwhile = () => {
    if (node.monotonic() > end) node.pci.holders.clear();
  };
  t.equal(
    vfio.whileUnused(node, group, 10_000, () => node.pci.holders.size),
    0,
  );
});

t.test("an error names the processes that keep a group open, and nothing is done", async (t) => {
  const node = bound();
  node.pci.holders.set(group, { pid: 4711, comm: "qemu-kvm", device: true });
  const { files } = node.pci;
  files.file("/proc/4711/comm", "qemu-kvm\n");
  files.link("/proc/4711/fd/3", "/dev/vfio/vfio");
  files.link("/proc/4711/fd/12", `/dev/vfio/${group}`);
  files.file("/proc/7/comm", "sh\n");
  files.link("/proc/7/fd/0", "/dev/null");
  files.file("/proc/8/comm", "gone\n");
  const before = node.monotonic();
  t.throws(() => vfio.whileUnused(node, group, 2000, () => t.fail("done")), {
    message: `/dev/vfio/${group}: is open in qemu-kvm (4711)`,
  });
  t.ok(node.monotonic() - before >= 2000);
  t.equal(vfio.useOf(node, group), `/dev/vfio/${group}: is open in qemu-kvm (4711)`);
  files.remove("/proc/4711");
  t.equal(vfio.useOf(node, group), `/dev/vfio/${group}: is open in another process`);
});

t.test("a group without a file, or whose last device goes meanwhile, is nobody's", async (t) => {
  const node = igbNode();
  t.equal(
    vfio.whileUnused(node, group, 0, () => 7),
    7,
  );
  t.equal(vfio.useOf(node, group), undefined);
  const other = bound();
  other.pci.holders.set(group, { pid: 4711, comm: "qemu-kvm" });
  other.meanwhile = () => other.pci.unbind(vf);
  t.equal(
    vfio.whileUnused(other, group, 10_000, () => 7),
    7,
  );
});

t.test("whileUnused throws any other refusal unchanged", async (t) => {
  const node = bound();
  node.lock = () => {
    throw Object.assign(new Error("open: no (EACCES)"), { code: "EACCES" });
  };
  t.throws(() => vfio.whileUnused(node, group, 0, () => 7), { code: "EACCES" });
});

t.test("the file to open is the group's; the device's own where the kernel has no groups' files", async (t) => {
  const node = bound();
  t.strictSame([vfio.fileOf(node, vf), vfio.expectedFile(node, vf)], [`/dev/vfio/${group}`, `/dev/vfio/${group}`]);
  node.pci.files.remove(`/dev/vfio/${group}`);
  t.equal(vfio.fileOf(node, vf), undefined);
  node.pci.files.file("/dev/vfio/devices/vfio0", "");
  t.equal(vfio.fileOf(node, vf), "/dev/vfio/devices/vfio0");
});
