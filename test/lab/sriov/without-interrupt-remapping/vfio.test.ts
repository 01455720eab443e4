// Tests VFIO with an IOMMU that does not remap interrupts: groups are viable, but VFIO refuses to
// set up a container unless its module allows unsafe interrupts.
import t from "tap";
import { allowUnsafeInterrupts, bindTo, createVfs, groupOf, openVfio, type Vf } from "../../../harness/sriov.ts";

t.test("VFIO refuses an IOMMU for a viable group until unsafe interrupts are allowed", async (t) => {
  const [vf] = createVfs(t, "eth0", 1, { probe: false }) as [Vf];
  bindTo(vf.address, "vfio-pci");
  const group = groupOf(vf.address)!;
  const refused = await openVfio(t, group, vf.address);
  t.same(refused.answer, { viable: true, failed: { step: "iommu", code: "EPERM" } });
  await refused.close();
  allowUnsafeInterrupts(t);
  t.same((await openVfio(t, group, vf.address)).answer, { viable: true, ids: "8086:10ca" });
});
