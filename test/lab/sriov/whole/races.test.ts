// Calls of sriov-vfio at the same time: for one VF one after the other, whole, and for several side
// by side.
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import t from "tap";
import { driverOf, type Vf } from "../../../harness/sriov.ts";
import { asked, done, podWith, settingsOf, stateOf, type VfPod, vfsOf } from "../pod.ts";

const few = await vfsOf(t, "eth0", 4);
const vfs: readonly Vf[] = [...few, ...(await vfsOf(t, "eth1", 4))];
const before = await statesOf(vfs);
const [vf, other] = few as unknown as [Vf, Vf];

/**
 * A call that takes its time at each change, so that another one comes in between wherever it can.
 */
const slowly = {
  under: [
    ...["strace", "--quiet=all", "--output=/dev/null", "--trace=sendto,write,renameat,unlinkat"],
    ...["--inject=sendto,write,renameat,unlinkat:delay_enter=50000", "--"],
  ],
  timeout: 60_000,
};
const patiently = { timeout: 60_000 };

function statesOf(some: readonly Vf[]): Promise<object[]> {
  return Promise.all(some.map(stateOf));
}

/** When the VF has left the driver. */
async function leaves({ address }: Vf, driver: string): Promise<void> {
  while (driverOf(address) === driver) await sleep(5);
}

t.test("of ADDs at the same time for one VF one gets it, and the others are told who uses it", async (t) => {
  const first = await podWith(t, vf, { vlan: 101 });
  const more = [102, 103].map((vlan) => podWith(t, vf, { vlan, dataDir: first.journal }));
  const pods = [first, ...(await Promise.all(more))];
  const answers = await Promise.all(pods.map(({ run }, at) => run("ADD", {}, at === 0 ? slowly : patiently)));
  const winner = answers.findIndex(({ status }) => status === 0);
  const { call } = pods[winner]!;
  for (const [at, answer] of answers.entries())
    if (at !== winner)
      t.match(answer, {
        status: 1,
        error: { code: 102, msg: `${vf.address}: in use by container ${call.containerId}` },
      });
  t.match(await pods[winner]!.check(), done);
  for (const pod of pods) t.match(await pod.run("DEL"), done);
  t.same(await stateOf(vf), before[0]);
});

t.test(
  "an ADD that comes in the middle of the last pod's DEL waits, and gets the VF as it was before that pod",
  async (t) => {
    const last = await podWith(t, vf, asked);
    const next = await podWith(t, vf, { vlan: 7, dataDir: last.journal });
    t.match(await last.run("ADD"), { status: 0 });
    const deleting = last.run("DEL", {}, slowly);
    await leaves(vf, "vfio-pci");
    const added = await next.run("ADD", {}, patiently);
    t.match(await deleting, done);
    t.match(added, { status: 0 });
    t.match(await next.check(), done);
    t.match(await settingsOf(vf), { vlan_list: [{ vlan: 7 }], spoofchk: true, trust: false, rate: { max_tx: 0 } });
    t.match(await next.run("DEL"), done);
    t.same(await stateOf(vf), before[0]);
  },
);

t.test("a late DEL that comes in the middle of the next pod's ADD waits, and does nothing to it", async (t) => {
  const last = await podWith(t, vf, asked);
  const next = await podWith(t, vf, { vlan: 7, dataDir: last.journal });
  t.match(await last.run("ADD"), { status: 0 });
  await execa("ip", ["netns", "del", last.path.split("/").at(-1)!]);
  const adding = next.run("ADD", {}, slowly);
  await leaves(vf, "vfio-pci");
  t.match(await last.run("DEL", {}, patiently), done);
  t.match(await adding, { status: 0 });
  t.match(await next.check(), done);
  t.match(await next.run("DEL"), done);
  t.same(await stateOf(vf), before[0]);
});

t.test("an ADD and the last pod's DEL at the same time: refused, or all of it", async (t) => {
  const last = await podWith(t, vf, asked);
  const next = await podWith(t, vf, { vlan: 7, dataDir: last.journal });
  for (const head of [0, 30, 60]) {
    t.match(await last.run("ADD"), { status: 0 });
    const adding = next.run("ADD", {}, patiently);
    await sleep(head);
    t.match(await last.run("DEL", {}, patiently), done);
    const added = await adding;
    if (added.status === 0) {
      t.match(await next.check(), done);
      t.match(await settingsOf(vf), { spoofchk: true, trust: false, rate: { max_tx: 0 } });
    } else t.match(added.error, { code: 102, msg: `in use by container ${last.call.containerId}` });
    t.match(await next.run("DEL"), done);
    t.same(await stateOf(vf), before[0]);
  }
});

t.test("DELs at the same time for one VF: all succeed, and it comes back once", async (t) => {
  const { run, records } = await podWith(t, vf, asked);
  t.match(await run("ADD"), { status: 0 });
  const calls = [slowly, patiently, patiently].map((call) => run("DEL", {}, call));
  for (const answer of await Promise.all(calls)) t.match(answer, done);
  t.same(await stateOf(vf), before[0]);
  t.same(records(), []);
});

t.test(
  "GC in the middle of an ADD of its network gives back what leaked, and waits for nobody else's VF",
  async (t) => {
    const leaked = await podWith(t, vf, asked);
    const added = await podWith(t, other, { vlan: 7, dataDir: leaked.journal });
    t.match(await leaked.run("ADD"), { status: 0 });
    const adding = added.run("ADD", {}, slowly);
    await leaves(other, "igbvf");
    const { containerId: containerID, ifname } = added.call;
    t.match(await leaked.run("GC", { "cni.dev/valid-attachments": [{ containerID, ifname }] }, patiently), done);
    t.same(await stateOf(vf), before[0]);
    t.match(await adding, { status: 0 });
    t.match(await added.check(), done);
    t.match(await added.run("DEL"), done);
    t.same(await statesOf([vf, other]), before.slice(0, 2));
  },
);

t.test("eight VFs of two PFs at once, each with settings of its own, and all of them back", async (t) => {
  const first = await podWith(t, vf, { vlan: 100 });
  const others = vfs.slice(1).map((vf, at) => podWith(t, vf, { ...asked, vlan: 101 + at, dataDir: first.journal }));
  const pods: readonly VfPod[] = [first, ...(await Promise.all(others))];
  for (const answer of await Promise.all(pods.map(({ run }) => run("ADD", {}, patiently))))
    t.match(answer, { status: 0 });
  t.same(
    vfs.map(({ address }) => driverOf(address)),
    vfs.map(() => "vfio-pci"),
  );
  for (const [at, settings] of (await Promise.all(vfs.map(settingsOf))).entries())
    t.match(settings, { vlan_list: [{ vlan: 100 + at }] });
  t.equal(first.records().length, vfs.length);
  for (const answer of await Promise.all(pods.map(({ run }) => run("DEL", {}, patiently)))) t.match(answer, done);
  t.same(await statesOf(vfs), before);
  t.same(first.records(), []);
});
