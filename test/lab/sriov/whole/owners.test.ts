// Whose a VF is: one attachment's, until its pod is gone, or GC, or until there is no such VF any
// more.
import { writeFileSync } from "node:fs";
import { execa } from "execa";
import t from "tap";
import { bindTo, driverOf, netdevOf, type Vf } from "../../../harness/sriov.ts";
import { asked, done, podWith, settingsOf, stateOf, vfsOf } from "../pod.ts";

const [vf, other] = (await vfsOf(t, "eth0", 2)) as [Vf, Vf];
const before = await stateOf(vf);

t.test("a VF is one attachment's: another waits until its pod is gone, and gets it as it was", async (t) => {
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

t.test("an attachment has one VF: another by the same name is refused, and by another name is its own", async (t) => {
  const { run, records } = await podWith(t, vf);
  const second = { deviceID: other.address };
  const untouched = await stateOf(other);
  t.match(await run("ADD"), { status: 0 });
  t.match(await run("ADD", second), { error: { code: 102, msg: `has ${vf.address} by this name already` } });
  t.same(await stateOf(other), untouched);
  t.match(await run("ADD", second, { ifname: "net2" }), { status: 0 });
  t.equal(records().length, 2);
  t.match(await run("DEL"), done);
  t.same([driverOf(vf.address), driverOf(other.address)], ["igbvf", "vfio-pci"]);
  t.match(await run("DEL", {}, { ifname: "net2" }), done);
  t.same([await stateOf(vf), await stateOf(other)], [before, untouched]);
});

t.test("GC gives back what leaked in its network, and no other's", async (t) => {
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

t.test(
  "a VF that somebody has bound otherwise since stays there, with the settings and the name that it had",
  async (t) => {
    await execa("ip", ["link", "set", netdevOf(vf.address)!, "name", "chosen"]);
    const { run, check, records } = await podWith(t, vf, asked);
    t.match(await run("ADD"), { status: 0 });
    bindTo(vf.address, "igbvf");
    t.match(await check(), { error: { code: 101, msg: `${vf.address}: driver is igbvf, not vfio-pci` } });
    t.match(await run("DEL"), done);
    t.same(await stateOf(vf), { ...before, link: "chosen" });
    t.same(records(), []);
  },
);

t.test("a VF that was removed, or made anew, is nobody's any more", async (t) => {
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
