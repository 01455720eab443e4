// sriov-vfio where a VF shares its IOMMU group with devices that the node uses: it names them before it changes anything.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { execa } from "execa";
import t from "tap";
import { createNamespace } from "../../harness/namespaces.ts";
import { callPlugin } from "../../harness/plugin.ts";
import { createVfs, driverOf, groupOf, netdevOf, type Vf } from "../../harness/sriov.ts";

t.test("a group that is not viable is refused, with every device in it that another driver has", async (t) => {
  await execa("ip", ["link", "set", "eth0", "up"]);
  const [vf, other] = createVfs(t, "eth0", 2) as [Vf, Vf];
  const before = [driverOf(vf.address), netdevOf(vf.address)];
  const { path } = await createNamespace(t);
  const directory = mkdtempSync("/run/sriov-");
  t.teardown(() => rmSync(directory, { recursive: true }));
  const netconf = { cniVersion: "1.1.0", name: "fast", type: "sriov-vfio", deviceID: vf.address, dataDir: directory };
  const answer = await callPlugin("sriov-vfio", "ADD", { containerId: "c1", netns: path, ifname: "net1" }, netconf);
  t.match(answer, { status: 1, error: { code: 102, details: /ACS/ } });
  const group = groupOf(vf.address);
  t.equal(
    answer.error!.msg,
    `${vf.address}: its IOMMU group ${group} is not viable: 0000:01:00.0 is on igb, ${other.address} is on igbvf`,
  );
  t.same([driverOf(vf.address), netdevOf(vf.address)], before);
  t.same(readdirSync(directory), []);
});
