// Two hundred calls at once in fifty pods, ADDs and DELs side by side, of one plugin and of all: no
// error, no leak, and nobody's work undone by another.
import t, { type Test } from "tap";
import { type Attachment, newDataDir } from "../../harness/attachment.ts";
import { each } from "../../harness/each.ts";
import { sampled } from "../../harness/faults.ts";
import type { Answer } from "../../harness/plugin.ts";
import { createPods, type Pod } from "../../harness/pod.ts";
import { settledDifferences, snapshot } from "../../harness/snapshot.ts";
import type { Subject } from "./subject.ts";
import { subjects } from "./subjects.ts";

const failed = (answers: readonly Answer[]): string[] =>
  answers.flatMap(({ status, stdout, stderr }) => (status === 0 ? [] : [`${status} ${stdout}${stderr}`]));

/** Pods, each with the attachments of all these plugins, four of each. */
async function crowd(t: Test, plugins: readonly Subject[], size: number): Promise<[Pod, readonly Attachment[]][]> {
  const pods = await createPods(t, sampled(t, Array.from({ length: size })).length);
  const dataDirs = await Promise.all(plugins.map(({ name }) => newDataDir(t, name)));
  return await each(pods, async (pod): Promise<[Pod, readonly Attachment[]]> => {
    const all: Attachment[] = [];
    for (const [position, { four }] of plugins.entries()) all.push(...(await four(t, pod, dataDirs[position]!)));
    return [pod, all];
  });
}

/**
 * Half of each pod's attachments come while the other half goes, all calls at once; then all go.
 */
async function comeAndGo(t: Test, plugins: readonly Subject[], size: number): Promise<void> {
  const pods = await crowd(t, plugins, size);
  const before = await each(pods, ([{ namespace }]) => snapshot(namespace));
  const halves = [0, 1].map((rest) => pods.flatMap(([, all]) => all.filter((_, position) => position % 2 === rest)));
  const patiently = { timeout: 120_000 };
  const call = (verb: string) => (one: Attachment) => one.run(verb, {}, patiently);
  t.same(failed(await Promise.all(halves[0]!.map(call("ADD")))), []);
  const [leaving, coming] = halves as [Attachment[], Attachment[]];
  const calls = leaving.flatMap((one, position) => [call("DEL")(one), call("ADD")(coming[position]!)]);
  t.same(failed(await Promise.all(calls)), [], `${calls.length} calls at once`);
  t.same(failed(await each(coming, (one) => one.check())), []);
  t.equal((await coming[0]!.journal()).length, coming.length / plugins.length);
  t.same(failed(await Promise.all(coming.map(call("DEL")))), []);
  const left = await each([...pods.entries()], async ([position, [{ namespace }, [one]]]) => [
    ...(await settledDifferences(namespace, before[position]!)),
    ...(await one!.journal()),
  ]);
  t.same(left.flat(), []);
}

for (const subject of subjects)
  t.test(`${subject.name}: 200 ADDs and DELs at once in 50 pods`, (t) => comeAndGo(t, [subject], 50));

t.test(`${subjects.map(({ name }) => name).join(" and ")}: 200 ADDs and DELs at once in 25 pods`, (t) =>
  comeAndGo(t, subjects, 25),
);
