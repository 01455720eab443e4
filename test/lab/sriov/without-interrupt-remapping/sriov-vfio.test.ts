// Tests sriov-vfio on a machine on which VFIO requires allow_unsafe_interrupts.
//
// ADD succeeds all the same, because only a hypervisor that opens the VF finds this out.
import t from "tap";
import { callPlugin } from "../../../harness/plugin.ts";
import { allowUnsafeInterrupts, groupOf, openVfio } from "../../../harness/sriov.ts";
import { asked, done, podWith, stateOf, vfsOf } from "../pod.ts";

t.test("ADD binds a VF, VFIO opens it when unsafe interrupts are allowed, and DEL restores it", async (t) => {
  const [vf] = await vfsOf(t, "eth0", 1);
  const before = await stateOf(vf);
  const { run, check, records } = await podWith(t, vf, asked);
  const netconf = { cniVersion: "1.1.0", name: "fast", type: "sriov-vfio" };
  t.match(await callPlugin("sriov-vfio", "STATUS", {}, netconf), done);
  t.match(await run("ADD"), { status: 0 });
  const group = groupOf(vf.address)!;
  const refused = await openVfio(t, group, vf.address);
  t.same(refused.answer, { viable: true, failed: { step: "iommu", code: "EPERM" } });
  await refused.close();
  allowUnsafeInterrupts(t);
  const opened = await openVfio(t, group, vf.address);
  t.same(opened.answer, { viable: true, ids: "8086:10ca" });
  t.match(await check(), done);
  await opened.close();
  t.match(await run("DEL"), done);
  t.same(await stateOf(vf), before);
  t.same(records(), []);
});
