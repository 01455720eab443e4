// Killed where no change is about to be made (crash.test.ts of each plugin has those points): when
// all is done, while a failed ADD is undone, and at any moment whatever.
import t, { type Test } from "tap";
import { killedBefore, type Mutation, meddled, type SystemCall, sampled, watch } from "../../harness/faults.ts";
import type { Answer } from "../../harness/plugin.ts";
import { chance } from "../../harness/seed.ts";
import { describe, type Ground, groundOf, type Subject } from "./subject.ts";
import { subjects } from "./subjects.ts";

const done = { status: 0, stdout: "" };
const killed = { signal: "SIGKILL" };
const rounds = 40;

/** By strace's own signal, or as timeout(1) tells it. */
const wasKilled = ({ status, signal }: Answer): boolean => signal === "SIGKILL" || status === 137;

/** The calls by which a verb ends: its answer, where there is one, and the end itself. */
async function lastCalls(t: Test, { attachment }: Ground, verb: string): Promise<SystemCall[]> {
  const { under, calls } = await watch(t, ["write", "exit_group"]);
  t.match(await attachment.run(verb, {}, { under }), { status: 0 });
  return (await calls()).filter(({ text }) => /^(write\(1<|exit_group)/.test(text));
}

/** An ADD whose very last change fails, so that all is undone, and what is changed for that. */
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
  t.test(`${subject.name}: killed when all of ADD is done, before and after its answer: DEL restores`, async (t) => {
    const ground = await groundOf(t, subject);
    const points = await lastCalls(t, ground, "ADD");
    await restores(t, ground, "as it was");
    t.equal(points.length, 2);
    for (const point of points) {
      t.match(await ground.attachment.run("ADD", {}, { under: killedBefore(point) }), killed);
      t.match(await ground.attachment.check(), done, "it is whole");
      t.match(await ground.attachment.run("ADD"), { status: 1, error: { code: 102, msg: /call DEL first/ } });
      await restores(t, ground, describe(point));
    }
  });

  t.test(
    `${subject.name}: killed when all of DEL is done: nothing is left, and DEL again changes nothing`,
    async (t) => {
      const ground = await groundOf(t, subject);
      await ground.attachment.add();
      const points = await lastCalls(t, ground, "DEL");
      t.equal(points.length, 1);
      await ground.attachment.add();
      t.match(await ground.attachment.run("DEL", {}, { under: killedBefore(points[0]!) }), killed);
      t.same(await ground.differences(), []);
      await restores(t, ground, "and again");
    },
  );

  t.test(
    `${subject.name}: killed while a failed ADD is undone: it is on record, and DEL undoes the rest`,
    async (t) => {
      const ground = await groundOf(t, subject);
      const { failing, points } = await undoingOf(t, ground);
      t.same(await ground.differences(), []);
      // The one that fails would not be the one that kills.
      const others = points.filter(({ name }) => name !== "renameat");
      t.ok(others.length >= 4, `${others.length} points`);
      for (const point of sampled(t, others)) {
        const under = meddled(failing, `${point.name}:signal=SIGKILL:when=${point.nth}`);
        t.match(await ground.attachment.run("ADD", {}, { under }), killed, describe(point));
        await restores(t, ground, describe(point));
      }
    },
  );

  t.test(`${subject.name}: killed at any moment, again and again: the DEL that gets through restores`, (t) =>
    atAnyMoment(t, subject),
  );
}

/** From outside, in the middle of a system call too. */
async function atAnyMoment(t: Test, subject: Subject): Promise<void> {
  const ground = await groundOf(t, subject);
  const ended: Record<string, number> = {};
  const random = chance();
  for (const round of sampled(t, [...Array.from({ length: rounds }).keys()])) {
    // What each takes where nothing else runs, and a third more.
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
  t.ok(ended["ADD killed"]! > 0 && ended["DEL killed"]! > 0, "some were");
}
