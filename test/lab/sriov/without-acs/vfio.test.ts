// Root ports that do not isolate what is behind them: the NIC and its VFs share a group with the
// port, and VFIO refuses it.
import t from "tap";
import { bindTo, createVfs, devicesIn, driverOf, groupOf, openVfio, type Vf } from "../../../harness/sriov.ts";

t.test("a VF is bound to vfio-pci, in a group with other drivers' devices that is not viable", async (t) => {
  const [vf] = createVfs(t, "eth0", 2) as [Vf, Vf];
  bindTo(vf.address, "vfio-pci");
  const group = groupOf(vf.address)!;
  t.same(devicesIn(group).map(driverOf), ["pcieport", "igb", "vfio-pci", "igbvf"]);
  const { answer } = await openVfio(t, group, vf.address);
  t.same(answer, { viable: false, failed: { step: "container", code: "EPERM" } });
});
