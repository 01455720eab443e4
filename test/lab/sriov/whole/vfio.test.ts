// Tests VFIO itself in a machine with all features, because sriov-vfio depends on this behaviour.
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

/** Creates a VF that is bound to vfio-pci. */
function boundVf(t: Parameters<typeof createVfs>[0]): { vf: Vf; group: string } {
  const [vf] = createVfs(t, "eth0", 1, { probe: false }) as [Vf];
  bindTo(vf.address, "vfio-pci");
  return { vf, group: groupOf(vf.address)! };
}

t.test("a VF on vfio-pci has its own viable group, which opens and shows the VF's IDs", async (t) => {
  const { vf, group } = boundVf(t);
  t.same(devicesIn(group), [vf.address]);
  const { answer } = await openVfio(t, group, vf.address);
  t.same(answer, { viable: true, ids: "8086:10ca" });
});

t.test("an open group cannot be opened again until it is closed", async (t) => {
  const { vf, group } = boundVf(t);
  const first = await openVfio(t, group);
  t.same(first.answer, { viable: true });
  t.same((await openVfio(t, group)).answer, { failed: { step: "open", code: "EBUSY" } });
  await first.close();
  t.match((await openVfio(t, group, vf.address)).answer, { viable: true, ids: String });
});

t.test("unbinding a VF waits until its device is closed, but sysfs shows no driver at once", async (t) => {
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

t.test("a VF moves from its own driver to vfio-pci and back, and gets a network device again", async (t) => {
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
