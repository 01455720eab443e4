import t from "tap";
import { type Attachment, newDataDir } from "../../../harness/attachment.ts";
import { each } from "../../../harness/each.ts";
import { sampled } from "../../../harness/faults.ts";
import { links, readSysctl } from "../../../harness/ip.ts";
import type { Answer } from "../../../harness/plugin.ts";
import { createPod, createPods, type Pod } from "../../../harness/pod.ts";
import { settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { bindingOf, blue } from "./binding.ts";

const silent = { status: 0, stdout: "" };

t.test("a hundred pods are attached and detached at once, without errors and leaks", async (t) => {
  const pods = await createPods(t, sampled(t, Array.from({ length: 100 })).length);
  await each(pods, (pod) => pod.attach({ kind: "veth", addresses: ["10.0.0.2/24", "fd00:9::2/64"] }));
  const dataDir = await newDataDir(t, "bridge-binding");
  const bindings = await each(pods, (pod) => bindingOf(t, pod, { dataDir }));
  const states = await each(pods, async ({ namespace }) => [namespace, await snapshot(namespace)] as const);

  const failed = (answers: readonly Answer[]) =>
    answers.filter(({ status }) => status !== 0).map(({ stdout }) => stdout);
  t.same(failed(await each(bindings, (binding) => binding.run("ADD"))), []);
  t.equal((await bindings[0]!.journal()).length, pods.length);
  t.same(failed(await each(bindings, (binding) => binding.check())), []);
  t.same(failed(await each(bindings, (binding) => binding.run("DEL"))), []);
  t.same(await bindings[0]!.journal(), []);
  const left = await each(states, ([namespace, before]) => settledDifferences(namespace, before));
  t.same(left.flat(), []);
});

/** Creates a pod on two networks and prepares an attachment for each network. */
async function podOnTwo(t: Parameters<typeof createPod>[0]) {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge", families: "dual" });
  await pod.attach({ kind: "macvlan", ifname: blue, families: "dual" });
  const first = await bindingOf(t, pod, { netconf: { args: { cni: { logicNetworkName: "red" } } } });
  const second = await bindingOf(t, pod, { ifname: "net2", dataDir: first.dataDir });
  return { pod, bindings: [first, second] as [Attachment, Attachment], before: await snapshot(pod.namespace) };
}

t.test("two networks of one pod are attached and detached at once, as by containerd", async (t) => {
  const { pod, bindings, before } = await podOnTwo(t);
  for (let time = 0; time < 10; time++) {
    const added = await Promise.all(bindings.map((binding) => binding.run("ADD")));
    t.match(added, [{ status: 0 }, { status: 0 }]);
    t.match(await Promise.all(bindings.map((binding) => binding.check())), [silent, silent]);
    t.same(await bridges(pod), ["k6t-16477688c0e", "k6t-eth0"]);
    const deleted = await Promise.all(bindings.map((binding) => binding.run("DEL")));
    t.match(deleted, [silent, silent]);
    t.same(await settledDifferences(pod.namespace, before), []);
    t.equal(await readSysctl(pod.namespace, "net/ipv4/conf/all/arp_ignore"), "0");
  }
  t.same(await bindings[0].journal(), []);
});

t.test("ADD of one network and DEL of another succeed at once in one pod", async (t) => {
  const { pod, bindings, before } = await podOnTwo(t);
  const [first, second] = bindings;
  await first.add();
  for (let time = 0; time < 10; time++) {
    const [leaving, coming] = time % 2 === 0 ? [first, second] : [second, first];
    const [deleted, added] = await Promise.all([leaving.run("DEL"), coming.run("ADD")]);
    t.match([deleted, added], [silent, { status: 0 }]);
    t.match(await coming.check(), silent, "with arp_ignore as it needs it");
  }
  await first.del();
  t.same(await settledDifferences(pod.namespace, before), []);
  t.same(await first.journal(), []);
});

t.test("ADD and DEL of one attachment at once leave the pod attached or as before", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge", families: "dual" });
  const before = await snapshot(pod.namespace);
  const binding = await bindingOf(t, pod);
  const ends: string[] = [];
  for (let time = 0; time < 20; time++) {
    const verbs = time % 2 === 0 ? ["ADD", "DEL"] : ["DEL", "ADD"];
    t.match(await Promise.all(verbs.map((verb) => binding.run(verb))), [{ status: 0 }, { status: 0 }]);
    const isBound = (await bridges(pod)).length === 1;
    ends.push(isBound ? "bound" : "as before");
    if (isBound) t.match(await binding.check(), silent);
    else t.same(await settledDifferences(pod.namespace, before), []);
    t.equal((await binding.journal()).length, isBound ? 1 : 0);
    await binding.del();
    t.same(await settledDifferences(pod.namespace, before), []);
  }
  t.comment(`bound ${ends.filter((end) => end === "bound").length} times of 20`);
});

t.test("one of many concurrent ADDs succeeds, and the others change nothing", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge", families: "dual" });
  const before = await snapshot(pod.namespace);
  const binding = await bindingOf(t, pod);
  const answers = await Promise.all(Array.from({ length: 8 }, () => binding.run("ADD")));
  t.equal(answers.filter(({ status }) => status === 0).length, 1);
  const refused = answers.filter(({ status }) => status !== 0);
  t.ok(refused.every(({ error }) => error?.code === 102 && error.msg.includes("is attached already")));
  t.match(await binding.check(), silent);
  const deletions = await Promise.all(Array.from({ length: 8 }, () => binding.run("DEL")));
  t.ok(deletions.every(({ status, stdout }) => status === 0 && stdout === ""));
  t.same(await settledDifferences(pod.namespace, before), []);
  t.same(await binding.journal(), []);
});

async function bridges({ namespace }: Pod): Promise<string[]> {
  return [...(await links(namespace)).keys()].filter((name) => name.startsWith("k6t-")).sort();
}
