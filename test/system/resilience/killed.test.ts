// Kills a plugin after the last change, during the undo of a failed ADD, and at random times. Each
// plugin's crash.test.ts kills it just before each change.
import t, { type Test } from "tap";
import { killedBefore, type Mutation, meddled, type SystemCall, sampled, watch } from "../../harness/faults.ts";
import type { Answer } from "../../harness/plugin.ts";
import { chance } from "../../harness/seed.ts";
import { describe, type Ground, groundOf, type Subject } from "./subject.ts";
import { subjects } from "./subjects.ts";

const done = { status: 0, stdout: "" };
const killed = { signal: "SIGKILL" };
const rounds = 40;

/** Killed by strace's signal, or by timeout(1), which exits with 137. */
const wasKilled = ({ status, signal }: Answer): boolean => signal === "SIGKILL" || status === 137;

/** The last system calls of a verb: the write of its answer, if any, and exit_group. */
async function lastCalls(t: Test, { attachment }: Ground, verb: string): Promise<SystemCall[]> {
  const { under, calls } = await watch(t, ["write", "exit_group"]);
  t.match(await attachment.run(verb, {}, { under }), { status: 0 });
  return (await calls()).filter(({ text }) => /^(write\(1<|exit_group)/.test(text));
}

/** The injection that makes the last change of ADD fail, and the changes that undo that ADD. */
async function undoingOf(t: Test, { attachment }: Ground): Promise<{ failing: string; points: Mutation[] }> {
  const plain = await watch(t, ["renameat"]);
  t.match(await attachment.run("ADD", {}, { under: plain.under }), { status: 0 });
  t.match(await attachment.run("DEL"), done);
  const failing = `renameat:error=EIO:when=${(await plain.calls()).at(-1)!.nth}`;
  const { under, mutations } = await watch(t, undefined, [failing]);
  t.match(await attachment.run("ADD", {}, { under }), { status: 1, error: { msg: /EIO/ } });
  const all = await mutations();
  return { failing, points: all.slice(all.findIndex(({ text }) => text.includes("(INJECTED)")) + 1) };
}

async function restores(t: Test, { attachment, differences }: Ground, what: string): Promise<void> {
  t.match(await attachment.run("DEL"), done, what);
  t.same(await differences(), [], what);
}

for (const subject of subjects) {
  t.test(`${subject.name}: after ADD is killed before or after its answer, DEL restores the pod`, async (t) => {
    const ground = await groundOf(t, subject);
    const points = await lastCalls(t, ground, "ADD");
    await restores(t, ground, "the pod is as before");
    t.equal(points.length, 2);
    for (const point of points) {
      t.match(await ground.attachment.run("ADD", {}, { under: killedBefore(point) }), killed);
      t.match(await ground.attachment.check(), done, "the attachment is complete");
      t.match(await ground.attachment.run("ADD"), { status: 1, error: { code: 102, msg: /call DEL first/ } });
      await restores(t, ground, describe(point));
    }
  });

  t.test(
    `${subject.name}: after DEL is killed at its end, nothing is left, and another DEL changes nothing`,
    async (t) => {
      const ground = await groundOf(t, subject);
      await ground.attachment.add();
      const points = await lastCalls(t, ground, "DEL");
      t.equal(points.length, 1);
      await ground.attachment.add();
      t.match(await ground.attachment.run("DEL", {}, { under: killedBefore(points[0]!) }), killed);
      t.same(await ground.differences(), []);
      await restores(t, ground, "another DEL");
    },
  );

  t.test(`${subject.name}: after a failed ADD is killed during its undo, DEL undoes the rest`, async (t) => {
    const ground = await groundOf(t, subject);
    const { failing, points } = await undoingOf(t, ground);
    t.same(await ground.differences(), []);
    // strace takes one injection for each system call, and renameat has the failing one.
    const others = points.filter(({ name }) => name !== "renameat");
    t.ok(others.length >= 4, `${others.length} points`);
    for (const point of sampled(t, others)) {
      const under = meddled(failing, `${point.name}:signal=SIGKILL:when=${point.nth}`);
      t.match(await ground.attachment.run("ADD", {}, { under }), killed, describe(point));
      await restores(t, ground, describe(point));
    }
  });

  t.test(`${subject.name}: after ADD and DEL are killed at random times, a complete DEL restores the pod`, (t) =>
    killAtRandomTimes(t, subject),
  );
}

/** Kills with timeout(1), and so also in the middle of a system call. */
async function killAtRandomTimes(t: Test, subject: Subject): Promise<void> {
  const ground = await groundOf(t, subject);
  const ended: Record<string, number> = {};
  const random = chance();
  for (const round of sampled(t, [...Array.from({ length: rounds }).keys()])) {
    // In ms: the duration of each on an idle machine, plus a third.
    const moments = { ADD: (12 * (round + 1)) / rounds, DEL: 16 * random() };
    for (const [verb, milliseconds] of Object.entries(moments)) {
      const under = ["timeout", "--signal=KILL", `${milliseconds / 1000}`];
      const answer = await ground.attachment.run(verb, {}, { under });
      const key = `${verb} ${wasKilled(answer) ? "killed" : "done"}`;
      ended[key] = (ended[key] ?? 0) + 1;
    }
    await restores(t, ground, `round ${round}`);
  }
  t.comment(JSON.stringify(ended));
  t.ok(ended["ADD killed"]! > 0 && ended["DEL killed"]! > 0, "some ADDs and some DELs were killed");
}
