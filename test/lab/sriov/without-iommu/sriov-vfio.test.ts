// Tests sriov-vfio without an IOMMU: it fails before it changes anything.
import t from "tap";
import { callPlugin } from "../../../harness/plugin.ts";
import { asked, done, podWith, stateOf, vfsOf } from "../pod.ts";

const netconf = { cniVersion: "1.1.0", name: "fast", type: "sriov-vfio" };
const noIommu =
  "node: the IOMMU is off; enable VT-d or AMD-Vi in the firmware, and intel_iommu=on on an Intel kernel's command line";

t.test("STATUS reports everything that is missing at once", async (t) => {
  const msg = `${noIommu}; no-vfio-pci: neither a driver of this kernel nor a module that it can load; node: has no SR-IOV VF; create some through a PF's sriov_numvfs`;
  const { error } = await callPlugin("sriov-vfio", "STATUS", {}, { ...netconf, driver: "no-vfio-pci" });
  t.same(error, { cniVersion: "1.1.0", code: 50, msg });
});

t.test("ADD and STATUS report the missing IOMMU with a remedy and change nothing", async (t) => {
  const [vf] = await vfsOf(t, "eth0", 1);
  const before = await stateOf(vf);
  for (const binding of ["auto", "bind"]) {
    const { run, check, records } = await podWith(t, vf, { ...asked, binding });
    t.match(await run("ADD"), {
      status: 1,
      error: { code: 102, msg: `${vf.address}: is in no IOMMU group`, details: /VT-d or AMD-Vi.* intel_iommu=on/ },
    });
    t.same(await stateOf(vf), before);
    t.same(records(), []);
    t.match(await check(), { status: 1, error: { code: 101, msg: /no ADD of container .* is recorded/ } });
    t.match(await run("DEL"), done);
  }
  t.match(await callPlugin("sriov-vfio", "STATUS", {}, netconf), { status: 1, error: { code: 50, msg: noIommu } });
});
