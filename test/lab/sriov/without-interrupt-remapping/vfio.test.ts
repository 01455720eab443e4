// An IOMMU that does not remap interrupts: groups are viable, and VFIO gives them no container
// unless its module is told to.
import t from "tap";
import { allowUnsafeInterrupts, bindTo, createVfs, groupOf, openVfio, type Vf } from "../../../harness/sriov.ts";

t.test("a viable group gets no IOMMU until unsafe interrupts are allowed", async (t) => {
  const [vf] = createVfs(t, "eth0", 1, { probe: false }) as [Vf];
  bindTo(vf.address, "vfio-pci");
  const group = groupOf(vf.address)!;
  const refused = await openVfio(t, group, vf.address);
  t.same(refused.answer, { viable: true, failed: { step: "iommu", code: "EPERM" } });
  await refused.close();
  allowUnsafeInterrupts(t);
  t.same((await openVfio(t, group, vf.address)).answer, { viable: true, ids: "8086:10ca" });
});
