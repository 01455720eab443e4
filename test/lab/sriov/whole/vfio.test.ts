// What the machine's VFIO does where all is well: the ground that sriov-vfio stands on.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import {
  bindTo,
  createVfs,
  devicesIn,
  driverOf,
  groupOf,
  netdevOf,
  openVfio,
  type Vf,
} from "../../../harness/sriov.ts";

/** A VF on vfio-pci. */
function boundVf(t: Parameters<typeof createVfs>[0]): { vf: Vf; group: string } {
  const [vf] = createVfs(t, "eth0", 1, { probe: false }) as [Vf];
  bindTo(vf.address, "vfio-pci");
  return { vf, group: groupOf(vf.address)! };
}

t.test("a VF on vfio-pci has a viable group of its own, through which it opens and shows its IDs", async (t) => {
  const { vf, group } = boundVf(t);
  t.same(devicesIn(group), [vf.address]);
  const { answer } = await openVfio(t, group, vf.address);
  t.same(answer, { viable: true, ids: "8086:10ca" });
});

t.test("a group that is open does not open again until it is closed", async (t) => {
  const { vf, group } = boundVf(t);
  const first = await openVfio(t, group);
  t.same(first.answer, { viable: true });
  t.same((await openVfio(t, group)).answer, { failed: { step: "open", code: "EBUSY" } });
  await first.close();
  t.match((await openVfio(t, group, vf.address)).answer, { viable: true, ids: String });
});

t.test("a VF's unbinding waits for who has its device open, and looks done before it is", async (t) => {
  const { vf, group } = boundVf(t);
  const holder = await openVfio(t, group, vf.address);
  const unbinding = spawn("sh", ["-c", `echo ${vf.address} >/sys/bus/pci/drivers/vfio-pci/unbind`]);
  const exit = once(unbinding, "exit");
  await sleep(1000);
  t.equal(unbinding.exitCode, null);
  t.equal(driverOf(vf.address), undefined);
  await holder.close();
  t.same(await exit, [0, null]);
});

t.test("VFs go from their own driver to vfio-pci, and come back with a network device", async (t) => {
  const vfs = createVfs(t, "eth1", 7);
  t.equal(new Set(vfs.map(({ address }) => groupOf(address))).size, 7, "each in a group of its own");
  const [first, ...others] = vfs as [Vf, ...Vf[]];
  t.equal(driverOf(first.address), "igbvf");
  t.match(netdevOf(first.address), /^eth\d+$/);
  bindTo(first.address, "vfio-pci");
  t.equal(netdevOf(first.address), undefined);
  t.same([...new Set(others.map(({ address }) => driverOf(address)))], ["igbvf"]);
  bindTo(first.address, "igbvf");
  t.match(netdevOf(first.address), /^eth\d+$/);
});
