// Tests VFIO behind root ports that do not isolate their devices: the NIC and its VFs share a group
// with the port, and VFIO refuses the group.
import t from "tap";
import { bindTo, createVfs, devicesIn, driverOf, groupOf, openVfio, type Vf } from "../../../harness/sriov.ts";

t.test("a VF binds to vfio-pci, but its group with other drivers' devices is not viable", async (t) => {
  const [vf] = createVfs(t, "eth0", 2) as [Vf, Vf];
  bindTo(vf.address, "vfio-pci");
  const group = groupOf(vf.address)!;
  t.same(devicesIn(group).map(driverOf), ["pcieport", "igb", "vfio-pci", "igbvf"]);
  const { answer } = await openVfio(t, group, vf.address);
  t.same(answer, { viable: false, failed: { step: "container", code: "EPERM" } });
});
