// Tests VFIO without an IOMMU: no groups exist, and vfio-pci binds to no device.
import { readdirSync, writeFileSync } from "node:fs";
import t from "tap";
import { bindTo, createVfs, driverOf, groupOf, netdevOf, pciPath, type Vf } from "../../../harness/sriov.ts";

t.test("a VF has no group, and vfio-pci does not bind to it", async (t) => {
  const [vf] = createVfs(t, "eth0", 1) as [Vf];
  t.equal(groupOf(vf.address), undefined);
  t.same(readdirSync("/sys/kernel/iommu_groups"), []);
  t.throws(() => bindTo(vf.address, "vfio-pci"), { message: `${vf.address}: driver is none, not vfio-pci` });
  t.throws(() => writeFileSync("/sys/bus/pci/drivers/vfio-pci/bind", vf.address), { code: "EINVAL" });
  t.equal(driverOf(vf.address), undefined);
  t.same(readdirSync("/dev/vfio"), ["vfio"]);
});

t.test("a VF's own driver binds to it after vfio-pci has refused it", async (t) => {
  const [vf] = createVfs(t, "eth0", 1) as [Vf];
  t.throws(() => bindTo(vf.address, "vfio-pci"));
  writeFileSync(`${pciPath(vf.address)}/driver_override`, "\n");
  writeFileSync("/sys/bus/pci/drivers_probe", vf.address);
  t.equal(driverOf(vf.address), "igbvf");
  t.match(netdevOf(vf.address), /^eth\d+$/);
});
