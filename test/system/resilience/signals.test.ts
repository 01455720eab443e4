// Signals by which a runtime, or a node that is shut down, ends a plugin: DEL outlives them, ADD
// dies as if killed.
import t, { type Test } from "tap";
import { type Mutation, sampled, sampleUnlessTold, signalledDuring, watch } from "../../harness/faults.ts";
import { describe, type Ground, groundOf, type Subject } from "./subject.ts";
import { subjects } from "./subjects.ts";

sampleUnlessTold(3);

const done = { status: 0, stdout: "" };
const signals = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/** Each of the calls by which a verb changes something, with each of the signals. */
async function pointsOf(t: Test, { attachment }: Ground, verb: string): Promise<(readonly [Mutation, string])[]> {
  const { under, mutations } = await watch(t);
  t.match(await attachment.run(verb, {}, { under }), { status: 0 });
  return (await mutations()).flatMap((point) => signals.map((signal) => [point, signal] as const));
}

async function attached(t: Test, subject: Subject): Promise<Ground> {
  const ground = await groundOf(t, subject);
  await ground.attachment.add();
  return ground;
}

for (const subject of subjects) {
  t.test(`${subject.name}: signals during any change of DEL do not stop it`, async (t) => {
    const ground = await attached(t, subject);
    for (const [point, signal] of sampled(t, await pointsOf(t, ground, "DEL"))) {
      await ground.attachment.add();
      const under = signalledDuring(point, signal);
      t.match(await ground.attachment.run("DEL", {}, { under }), { ...done, signal: undefined });
      t.same(await ground.differences(), [], `${signal} during ${describe(point)}`);
    }
  });

  t.test(`${subject.name}: another signal during DEL does stop it, and the next one restores`, async (t) => {
    const ground = await attached(t, subject);
    const points = await pointsOf(t, ground, "DEL");
    await ground.attachment.add();
    const under = signalledDuring(points[0]![0], "SIGUSR1");
    t.match(await ground.attachment.run("DEL", {}, { under }), { signal: "SIGUSR1" });
    t.equal((await ground.attachment.journal()).length, 1, "what is left is on record");
    t.match(await ground.attachment.run("DEL"), done);
    t.same(await ground.differences(), []);
  });

  t.test(`${subject.name}: a signal during any change of ADD ends it: DEL restores`, async (t) => {
    const ground = await groundOf(t, subject);
    const points = await pointsOf(t, ground, "ADD");
    t.match(await ground.attachment.run("DEL"), done);
    for (const [point, signal] of sampled(t, points)) {
      const what = `${signal} during ${describe(point)}`;
      t.match(await ground.attachment.run("ADD", {}, { under: signalledDuring(point, signal) }), { signal }, what);
      t.match(await ground.attachment.run("DEL"), done, what);
      t.same(await ground.differences(), [], what);
    }
  });
}
