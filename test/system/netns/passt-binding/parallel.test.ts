import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { collect, newDataDir, validAttachments } from "../../../harness/attachment.ts";
import { each } from "../../../harness/each.ts";
import { sampled } from "../../../harness/faults.ts";
import type { Answer } from "../../../harness/plugin.ts";
import { createPod, createPods } from "../../../harness/pod.ts";
import { settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { closed, open, passtOf, rightsIn } from "./rights.ts";
import { passtsOf } from "./several.ts";

const silent = { status: 0, stdout: "", stderr: "" };
const failed = (answers: readonly Answer[]) => answers.filter(({ status }) => status !== 0).map(({ stdout }) => stdout);

t.test("fifty pods are attached and detached at once, without errors and leaks", async (t) => {
  const pods = await createPods(t, sampled(t, Array.from({ length: 50 })).length);
  const dataDir = await newDataDir(t, "passt-binding");
  const passts = await each(pods, (pod) => passtOf(t, pod, { dataDir }));
  const states = async () => new Set((await each(pods, ({ namespace }) => rightsIn(namespace))).map(String));
  const before = await each(pods.slice(0, 3), ({ namespace }) => snapshot(namespace));

  t.same(failed(await Promise.all(passts.map((passt) => passt.run("ADD")))), []);
  t.same([...(await states())], [`${open}`]);
  t.equal((await passts[0]!.journal()).length, pods.length);
  t.same(failed(await Promise.all(passts.map((passt) => passt.check()))), []);
  t.same(failed(await Promise.all(passts.map((passt) => passt.run("DEL")))), []);
  t.same([...(await states())], [`${closed}`]);
  t.same(await passts[0]!.journal(), []);
  for (const [position, lines] of before.entries())
    t.same(await settledDifferences(pods[position]!.namespace, lines), []);
});

/** The configurations of twenty networks of one pod. No two are equal. */
const wishes = Array.from({ length: 20 }, (_, n) => ({
  unprivilegedPortStart: 1000 - 50 * n,
  pingGroupRange: [500 - 20 * n, 500 + 10 * n],
}));
/** The rights that all twenty networks need together. */
const widest = ["50", "120 690"];

t.test("twenty networks of one pod keep their rights at once until the last DEL restores the pod", async (t) => {
  const pod = await createPod(t);
  const before = await snapshot(pod.namespace);
  const passts = await passtsOf(t, pod, wishes);
  for (let time = 0; time < 3; time++) {
    t.same(failed(await Promise.all(passts.map((passt) => passt.run("ADD")))), []);
    t.same(await rightsIn(pod.namespace), widest);
    t.same(failed(await Promise.all(passts.map((passt) => passt.check()))), []);
    const [last, ...others] = time % 2 === 0 ? passts : [...passts].reverse();
    t.same(failed(await Promise.all(others.map((passt) => passt.run("DEL")))), []);
    t.same(await rightsIn(pod.namespace), widest, "until the last DEL");
    t.match(await last!.check(), silent);
    t.match(await last!.run("DEL"), silent);
    t.same(await rightsIn(pod.namespace), closed);
    t.same(await passts[0]!.journal(), []);
  }
  t.same(await settledDifferences(pod.namespace, before), []);
});

t.test("ADDs of some networks and DELs of others succeed at once in one pod", async (t) => {
  const pod = await createPod(t);
  const passts = await passtsOf(t, pod, wishes.slice(0, 8));
  const [even, odd] = [0, 1].map((rest) => passts.filter((_, position) => position % 2 === rest));
  for (const passt of even!) await passt.add();
  for (let time = 0; time < 6; time++) {
    const [leaving, coming] = time % 2 === 0 ? [even!, odd!] : [odd!, even!];
    const calls = [...leaving.map((passt) => passt.run("DEL")), ...coming.map((passt) => passt.run("ADD"))];
    t.same(failed(await Promise.all(calls)), []);
    t.same(failed(await Promise.all(coming.map((passt) => passt.check()))), []);
    t.equal((await passts[0]!.journal()).length, 4);
  }
  t.same(failed(await Promise.all(even!.map((passt) => passt.run("DEL")))), []);
  t.same(await rightsIn(pod.namespace), closed);
  t.same(await passts[0]!.journal(), []);
});

t.test("ADD and DEL of one attachment at once leave the pod attached or as before", async (t) => {
  const pod = await createPod(t);
  const passt = await passtOf(t, pod);
  const ends: boolean[] = [];
  for (let time = 0; time < 20; time++) {
    const verbs = time % 2 === 0 ? ["ADD", "DEL"] : ["DEL", "ADD"];
    t.match(await Promise.all(verbs.map((verb) => passt.run(verb))), [{ status: 0 }, { status: 0 }]);
    const isPrepared = (await passt.journal()).length === 1;
    t.same(await rightsIn(pod.namespace), isPrepared ? open : closed);
    if (isPrepared) t.match(await passt.check(), silent);
    ends.push(isPrepared);
    await passt.del();
    t.same(await rightsIn(pod.namespace), closed);
  }
  t.comment(`prepared ${ends.filter(Boolean).length} times of 20`);
});

t.test("a call waits for another call in the same pod only", async (t) => {
  const pods = await createPods(t, 2);
  const [passt, elsewhere] = await each(pods, (pod) => passtOf(t, pod));
  const holder = spawn("flock", [pods[0]!.namespace.path, "sh", "-c", "echo held; exec cat"]);
  t.teardown(() => holder.stdin.end());
  await once(holder.stdout, "data");
  let ended = false;
  const waiting = passt!.run("ADD").finally(() => {
    ended = true;
  });
  await elsewhere!.add();
  await sleep(300);
  t.notOk(ended);
  t.same(await rightsIn(pods[0]!.namespace), closed);
  holder.stdin.end();
  t.match(await waiting, { status: 0 });
  t.same(await rightsIn(pods[0]!.namespace), open);
});

t.test("ADD continues if another call keeps its turn", async (t) => {
  const pod = await createPod(t);
  const passt = await passtOf(t, pod);
  await passt.add();
  await passt.del();
  const holder = spawn("python3", ["-c", turnHolder]);
  t.teardown(() => holder.stdin.end());
  await once(holder.stdout, "data");
  const start = performance.now();
  t.match(await passt.run("ADD"), { status: 0 });
  t.ok(performance.now() - start > 900, "it has waited");
  t.same(await rightsIn(pod.namespace), open);
});

t.test("one of many concurrent ADDs succeeds, and the others change nothing", async (t) => {
  const pod = await createPod(t);
  const passt = await passtOf(t, pod);
  const answers = await Promise.all(Array.from({ length: 10 }, () => passt.run("ADD")));
  t.equal(answers.filter(({ status }) => status === 0).length, 1);
  const refused = answers.filter(({ status }) => status !== 0);
  t.ok(refused.every(({ error }) => error?.code === 102 && error.msg.includes("is attached already")));
  t.match(await passt.check(), silent);
  t.same(failed(await Promise.all(Array.from({ length: 10 }, () => passt.run("DEL")))), []);
  t.same(await rightsIn(pod.namespace), closed);
  t.same(await passt.journal(), []);
});

t.test("GC keeps valid attachments while they are added and deleted", async (t) => {
  const pods = await createPods(t, 12);
  const dataDir = await newDataDir(t, "passt-binding");
  const passts = await each(pods, (pod) => passtOf(t, pod, { dataDir }));
  const [leaked, staying] = [passts.slice(0, 6), passts.slice(6)];
  for (const passt of leaked) await passt.add();
  const collections = Array.from({ length: 4 }, () => collect(passts[0]!, validAttachments(...staying)));
  const work = staying.map(async (passt) => [await passt.run("ADD"), await passt.run("DEL"), await passt.run("ADD")]);
  t.same(failed([...(await Promise.all(collections)), ...(await Promise.all(work)).flat()]), []);
  const states = await Promise.all(pods.map(({ namespace }) => rightsIn(namespace)));
  t.same(states, [...leaked.map(() => closed), ...staying.map(() => open)]);
  t.equal((await passts[0]!.journal()).length, 6);
});

/**
 * Takes the lock of the turn (lib/kernel/locks.ts) until its standard input ends. F_OFD_SETLKW
 * waits: a call of another test may hold the lock.
 */
const turnHolder = `
import fcntl, struct, sys
file = open("/run/kubevirt-cni-bindings/locks", "r+")
fcntl.fcntl(file, 38, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 2**51, 1, 0))
print("held", flush=True)
sys.stdin.read()
`;
