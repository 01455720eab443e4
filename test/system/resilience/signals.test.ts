// Signals that a runtime or a node's shutdown sends to a plugin. DEL ignores them and completes.
// ADD dies, and the next DEL undoes it.
import t, { type Test } from "tap";
import { type Mutation, sampleByDefault, sampled, signalledDuring, watch } from "../../harness/faults.ts";
import { describe, type Ground, groundOf, type Subject } from "./subject.ts";
import { subjects } from "./subjects.ts";

sampleByDefault(3);

const done = { status: 0, stdout: "" };
const signals = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/** Each system call by which a verb changes something, with each signal. */
async function pointsOf(t: Test, { attachment }: Ground, verb: string): Promise<(readonly [Mutation, string])[]> {
  const { under, mutations } = await watch(t);
  t.match(await attachment.run(verb, {}, { under }), { status: 0 });
  return (await mutations()).flatMap((point) => signals.map((signal) => [point, signal] as const));
}

async function addedGround(t: Test, subject: Subject): Promise<Ground> {
  const ground = await groundOf(t, subject);
  await ground.attachment.add();
  return ground;
}

for (const subject of subjects) {
  t.test(`${subject.name}: a signal during a change of DEL does not stop DEL`, async (t) => {
    const ground = await addedGround(t, subject);
    for (const [point, signal] of sampled(t, await pointsOf(t, ground, "DEL"))) {
      await ground.attachment.add();
      const under = signalledDuring(point, signal);
      t.match(await ground.attachment.run("DEL", {}, { under }), { ...done, signal: undefined });
      t.same(await ground.differences(), [], `${signal} during ${describe(point)}`);
    }
  });

  t.test(`${subject.name}: SIGUSR1 stops DEL, and the next DEL restores the pod`, async (t) => {
    const ground = await addedGround(t, subject);
    const points = await pointsOf(t, ground, "DEL");
    await ground.attachment.add();
    const under = signalledDuring(points[0]![0], "SIGUSR1");
    t.match(await ground.attachment.run("DEL", {}, { under }), { signal: "SIGUSR1" });
    t.equal((await ground.attachment.journal()).length, 1, "the record is kept");
    t.match(await ground.attachment.run("DEL"), done);
    t.same(await ground.differences(), []);
  });

  t.test(`${subject.name}: a signal during a change of ADD ends ADD, and DEL restores the pod`, async (t) => {
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
