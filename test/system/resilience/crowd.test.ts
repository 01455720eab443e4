// 200 concurrent ADDs and DELs in 50 pods, of one plugin and of all plugins. No call fails, nothing
// is left behind, and no call undoes the work of another.
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

/** Creates pods and prepares four attachments of each plugin in each pod. */
async function crowd(t: Test, plugins: readonly Subject[], size: number): Promise<[Pod, readonly Attachment[]][]> {
  const pods = await createPods(t, sampled(t, Array.from({ length: size })).length);
  const dataDirs = await Promise.all(plugins.map(({ name }) => newDataDir(t, name)));
  return await each(pods, async (pod): Promise<[Pod, readonly Attachment[]]> => {
    const all: Attachment[] = [];
    for (const [position, { four }] of plugins.entries()) all.push(...(await four(t, pod, dataDirs[position]!)));
    return [pod, all];
  });
}

/** Adds one half of each pod's attachments while it deletes the other half; then deletes all. */
async function addAndDelete(t: Test, plugins: readonly Subject[], size: number): Promise<void> {
  const pods = await crowd(t, plugins, size);
  const before = await each(pods, ([{ namespace }]) => snapshot(namespace));
  const halves = [0, 1].map((rest) => pods.flatMap(([, all]) => all.filter((_, position) => position % 2 === rest)));
  const options = { timeout: 120_000 };
  const call = (verb: string) => (one: Attachment) => one.run(verb, {}, options);
  t.same(failed(await Promise.all(halves[0]!.map(call("ADD")))), []);
  const [toDelete, toAdd] = halves as [Attachment[], Attachment[]];
  const calls = toDelete.flatMap((one, position) => [call("DEL")(one), call("ADD")(toAdd[position]!)]);
  t.same(failed(await Promise.all(calls)), [], `${calls.length} calls at once`);
  t.same(failed(await each(toAdd, (one) => one.check())), []);
  t.equal((await toAdd[0]!.journal()).length, toAdd.length / plugins.length);
  t.same(failed(await Promise.all(toAdd.map(call("DEL")))), []);
  const left = await each([...pods.entries()], async ([position, [{ namespace }, [one]]]) => [
    ...(await settledDifferences(namespace, before[position]!)),
    ...(await one!.journal()),
  ]);
  t.same(left.flat(), []);
}

for (const subject of subjects)
  t.test(`${subject.name}: 200 ADDs and DELs at once in 50 pods succeed`, (t) => addAndDelete(t, [subject], 50));

t.test(`${subjects.map(({ name }) => name).join(" and ")}: 200 ADDs and DELs at once in 25 pods succeed`, (t) =>
  addAndDelete(t, subjects, 25),
);
