import t from "tap";
import { faultsOf } from "../../../lib/cni/failure.ts";
import { requirements } from "../../../plugins/sriov-vfio/requirements.ts";
import { igbNode } from "../sysfs/memory-node.ts";

const conf = { driver: "vfio-pci" };

/** What the node lacks, as text. */
function unavailable(conf: { readonly driver: string }, node: ReturnType<typeof igbNode>): string[] {
  return requirements(conf, node).flatMap(({ check }) => faultsOf(check));
}

t.test("a node with all requirements is available", async (t) => {
  t.strictSame(unavailable(conf, igbNode()), []);
});

t.test("every missing requirement is named, with a remedy", async (t) => {
  const node = igbNode();
  const { files } = node.pci;
  node.writeFile("/sys/class/net/eth0/device/sriov_numvfs", "0");
  for (const group of files.names("/sys/kernel/iommu_groups")) files.remove(`/sys/kernel/iommu_groups/${group}`);
  files.remove("/sys/bus/pci/drivers/vfio-pci");
  t.strictSame(unavailable(conf, node), [
    "node: the IOMMU is off; enable VT-d or AMD-Vi in the firmware, and intel_iommu=on on an Intel kernel's command line",
    "vfio-pci: neither a driver of this kernel nor a module that it can load",
    "node: has no SR-IOV VF; create some through a PF's sriov_numvfs",
  ]);
  files.remove("/sys/kernel/iommu_groups");
  t.equal(unavailable(conf, node).length, 3, "also where the kernel knows no groups at all");
});

t.test("a driver whose module can be loaded is no fault, with - or _ in its name", async (t) => {
  for (const [directory, line, driver] of [
    ["/lib/modules", "kernel/drivers/vfio/pci/vfio-pci.ko.xz: kernel/drivers/vfio/vfio.ko.xz", "vfio-pci"],
    ["/usr/lib/modules", "kernel/drivers/vfio/pci/vfio_pci.ko:", "vfio-pci"],
    ["/lib/modules", "kernel/drivers/vfio/pci/mlx5/mlx5-vfio-pci.ko.zst:", "mlx5_vfio_pci"],
  ] as const) {
    const node = igbNode();
    node.pci.files.remove("/sys/bus/pci/drivers/vfio-pci");
    t.equal(unavailable({ driver }, node).length, 1);
    node.pci.files.file(`${directory}/6.1.0-56-amd64/modules.dep`, `kernel/lib/other.ko:\n${line}\n`);
    t.strictSame(unavailable({ driver }, node), [], line);
    t.equal(unavailable({ driver: "hisi_acc_vfio_pci" }, node).length, 1);
  }
});

t.test("a module whose name only ends like the driver's, or that is only a dependency, does not count", async (t) => {
  const node = igbNode();
  node.pci.files.remove("/sys/bus/pci/drivers/vfio-pci");
  node.pci.files.file(
    "/lib/modules/6.1.0-56-amd64/modules.dep",
    "kernel/mlx5-vfio-pci.ko: kernel/vfio-pci-core.ko kernel/vfio-pci.ko\n",
  );
  t.equal(unavailable(conf, node).length, 1);
});
