// Tests concurrent calls of sriov-vfio: calls for one VF run one after the other, calls for several
// VFs concurrently.
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import t from "tap";
import { driverOf, type Vf } from "../../../harness/sriov.ts";
import { asked, done, podWith, settingsOf, stateOf, type VfPod, vfsOf } from "../pod.ts";

const few = await vfsOf(t, "eth0", 4);
const vfs: readonly Vf[] = [...few, ...(await vfsOf(t, "eth1", 4))];
const before = await statesOf(vfs);
const [vf, other] = few as unknown as [Vf, Vf];

/** A call that is delayed at each change, so that concurrent calls run between its changes. */
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

/** Waits until the VF is no longer bound to `driver`. */
async function leaves({ address }: Vf, driver: string): Promise<void> {
  while (driverOf(address) === driver) await sleep(5);
}

t.test("one of several concurrent ADDs gets the VF, and the others fail with the name of its user", async (t) => {
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

t.test("ADD during the last pod's DEL waits and gets the restored VF", async (t) => {
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
});

t.test("a late DEL during the next pod's ADD waits and changes nothing", async (t) => {
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

t.test("ADD concurrent with the last pod's DEL either fails or succeeds completely", async (t) => {
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

t.test("all concurrent DELs for one VF succeed and restore it once", async (t) => {
  const { run, records } = await podWith(t, vf, asked);
  t.match(await run("ADD"), { status: 0 });
  const calls = [slowly, patiently, patiently].map((call) => run("DEL", {}, call));
  for (const answer of await Promise.all(calls)) t.match(answer, done);
  t.same(await stateOf(vf), before[0]);
  t.same(records(), []);
});

t.test("GC during an ADD of its network restores the leaked VF and leaves the VF of that ADD alone", async (t) => {
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
});

t.test("concurrent ADDs attach eight VFs of two PFs with their own settings, and DELs restore all", async (t) => {
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
