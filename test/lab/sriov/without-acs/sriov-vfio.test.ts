// Tests sriov-vfio if a VF shares its IOMMU group with devices of the node: it names them before it
// changes anything.
import { writeFileSync } from "node:fs";
import t, { type Test } from "tap";
import { bindTo, groupOf, pciPath, type Vf } from "../../../harness/sriov.ts";
import { asked, done, podWith, stateOf, vfsOf } from "../pod.ts";

const [vf, other] = (await vfsOf(t, "eth0", 2)) as [Vf, Vf];
const notViable = `${vf.address}: its IOMMU group ${groupOf(vf.address)} is not viable: 0000:01:00.0 is on igb`;

/** Checks that ADD fails with exactly `msg` and a remedy, and that ADD and DEL change nothing. */
async function isRefused(t: Test, msg: string, fields: object = {}): Promise<void> {
  const before = await Promise.all([vf, other].map(stateOf));
  const { run, records } = await podWith(t, vf, { ...asked, ...fields });
  const { status, error } = await run("ADD");
  t.match({ status, error }, { status: 1, error: { code: 102, details: /^VFIO hands over whole groups: .* ACS/ } });
  t.equal(error?.msg, msg);
  t.same(records(), []);
  t.match(await run("DEL"), done);
  t.same(await Promise.all([vf, other].map(stateOf)), before);
}

t.test("ADD refuses a group that is not viable and names each device that is bound to another driver", (t) =>
  isRefused(t, `${notViable}, ${other.address} is on igbvf`),
);

t.test("ADD does not name devices without a driver or on vfio-pci as the cause", async (t) => {
  writeFileSync(`${pciPath(other.address)}/driver/unbind`, other.address);
  await isRefused(t, notViable);
  bindTo(other.address, "vfio-pci");
  await isRefused(t, notViable);
});

t.test("ADD refuses a group that is not viable also if the VF is on vfio-pci", async (t) => {
  bindTo(vf.address, "vfio-pci");
  bindTo(other.address, "vfio-pci");
  await isRefused(t, notViable, { binding: "require-prebound" });
});
