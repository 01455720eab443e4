// sriov-vfio where no VF can be handed to a guest: it says so before it changes anything.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { execa } from "execa";
import t from "tap";
import { createNamespace } from "../../harness/namespaces.ts";
import { callPlugin } from "../../harness/plugin.ts";
import { createVfs, driverOf, netdevOf, type Vf } from "../../harness/sriov.ts";

t.test("ADD and STATUS say that there is no IOMMU, and what to do", async (t) => {
  await execa("ip", ["link", "set", "eth0", "up"]);
  const [vf] = createVfs(t, "eth0", 1) as [Vf];
  const before = [driverOf(vf.address), netdevOf(vf.address)];
  const { path } = await createNamespace(t);
  const directory = mkdtempSync("/run/sriov-");
  t.teardown(() => rmSync(directory, { recursive: true }));
  const netconf = { cniVersion: "1.1.0", name: "fast", type: "sriov-vfio", deviceID: vf.address, dataDir: directory };
  t.match(await callPlugin("sriov-vfio", "ADD", { containerId: "c1", netns: path, ifname: "net1" }, netconf), {
    status: 1,
    error: { code: 102, msg: `${vf.address}: is in no IOMMU group`, details: /intel_iommu=on/ },
  });
  t.same([driverOf(vf.address), netdevOf(vf.address)], before);
  t.same(readdirSync(directory), []);
  t.match(await callPlugin("sriov-vfio", "STATUS", {}, netconf), {
    status: 1,
    error: { code: 50, msg: /^node: has no IOMMU that is switched on/ },
  });
});
