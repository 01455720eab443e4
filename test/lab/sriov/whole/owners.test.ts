// Tests to which attachment a VF belongs: to one only, until DEL, GC, or the removal of the pod or
// VF.
import { writeFileSync } from "node:fs";
import { execa } from "execa";
import t from "tap";
import { bindTo, driverOf, netdevOf, type Vf } from "../../../harness/sriov.ts";
import { asked, done, podWith, settingsOf, stateOf, vfsOf } from "../pod.ts";

const [vf, other] = (await vfsOf(t, "eth0", 2)) as [Vf, Vf];
const before = await stateOf(vf);

t.test("ADD refuses another attachment's VF until that pod is deleted, then gets the restored VF", async (t) => {
  const dead = await podWith(t, vf, asked);
  t.match(await dead.run("ADD"), { status: 0 });
  t.match(await dead.run("ADD"), { error: { code: 102, msg: /is attached already; call DEL first/ } });
  const { run, check } = await podWith(t, vf, { dataDir: dead.journal });
  t.match(await run("ADD"), {
    error: { code: 102, msg: new RegExp(`${vf.address}: in use by container ${dead.call.containerId} `) },
  });
  await execa("ip", ["netns", "del", dead.path.split("/").at(-1)!]);
  t.match(await run("ADD"), { status: 0 });
  t.match(
    await settingsOf(vf),
    { spoofchk: true, trust: false, rate: { max_tx: 0 } },
    "none of the dead pod's settings",
  );
  t.match(await dead.run("DEL"), done, "which late DEL of the dead one leaves alone");
  t.match(await check(), done);
  t.match(await run("DEL"), done);
  t.same(await stateOf(vf), before);
});

t.test("ADD refuses a second VF under the same ifname and accepts it under another ifname", async (t) => {
  const { run, records } = await podWith(t, vf);
  const second = { deviceID: other.address };
  const untouched = await stateOf(other);
  t.match(await run("ADD"), { status: 0 });
  t.match(await run("ADD", second), { error: { code: 102, msg: `holds ${vf.address} by this name` } });
  t.same(await stateOf(other), untouched);
  t.match(await run("ADD", second, { ifname: "net2" }), { status: 0 });
  t.equal(records().length, 2);
  t.match(await run("DEL"), done);
  t.same([driverOf(vf.address), driverOf(other.address)], ["igbvf", "vfio-pci"]);
  t.match(await run("DEL", {}, { ifname: "net2" }), done);
  t.same([await stateOf(vf), await stateOf(other)], [before, untouched]);
});

t.test("GC restores leaked VFs of its own network only", async (t) => {
  const untouched = await stateOf(other);
  const leaked = await podWith(t, vf);
  const foreign = await podWith(t, other, { dataDir: leaked.journal, name: "slow" });
  for (const one of [leaked, foreign]) t.match(await one.run("ADD"), { status: 0 });
  t.match(await leaked.run("GC", { "cni.dev/valid-attachments": [] }), done);
  t.same(await stateOf(vf), before);
  t.equal(driverOf(other.address), "vfio-pci");
  t.match(await foreign.run("DEL"), done);
  t.same(await stateOf(other), untouched);
});

t.test("DEL restores settings and link name of a VF that was rebound after ADD, but not its driver", async (t) => {
  await execa("ip", ["link", "set", netdevOf(vf.address)!, "name", "chosen"]);
  const { run, check, records } = await podWith(t, vf, asked);
  t.match(await run("ADD"), { status: 0 });
  bindTo(vf.address, "igbvf");
  t.match(await check(), { error: { code: 101, msg: `${vf.address}: driver is igbvf, not vfio-pci` } });
  t.match(await run("DEL"), done);
  t.same(await stateOf(vf), { ...before, link: "chosen" });
  t.same(records(), []);
});

t.test("DEL changes nothing on a VF that was recreated after ADD", async (t) => {
  const { run, records } = await podWith(t, vf, asked);
  t.match(await run("ADD"), { status: 0 });
  const numvfs = `/sys/class/net/${vf.pf}/device/sriov_numvfs`;
  writeFileSync(numvfs, "0");
  writeFileSync(numvfs, "1");
  const fresh = await stateOf(vf);
  t.match(await run("DEL"), done);
  t.same(await stateOf(vf), fresh);
  t.same(records(), []);
});
