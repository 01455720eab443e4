// Every system call of ADD and of DEL made to fail, once, with each errno that it can give: told or
// outlived, and nothing is left behind.
import t, { type Test } from "tap";
import { failingAt, type SystemCall, sampled, sampleUnlessTold, watch } from "../../harness/faults.ts";
import { type Failure, failuresOf, fallible } from "./errnos.ts";
import { describe, type Ground, groundOf, type Subject } from "./subject.ts";
import { subjects } from "./subjects.ts";
import { addTold, delTold } from "./told.ts";

sampleUnlessTold(7);

/** The calls that a verb makes. */
async function callsOf(t: Test, { attachment }: Ground, verb: string): Promise<SystemCall[]> {
  const { under, calls } = await watch(t, fallible);
  t.match(await attachment.run(verb, {}, { under }), { status: 0 });
  return await calls();
}

/**
 * Goes through the failures, or a sample of them: after each the pod must be as before. Where it is
 * not, the next one gets a new pod.
 */
async function atEach(
  t: Test,
  subject: Subject,
  failures: readonly Failure[],
  fail: (ground: Ground, failure: Failure, what: string) => Promise<void>,
): Promise<void> {
  let ground = await groundOf(t, subject);
  for (const failure of sampled(t, failures)) {
    const what = `${failure.errno} of ${describe(failure.call)}`;
    await fail(ground, failure, what);
    if (!t.same(await ground.differences(), [], what)) ground = await groundOf(t, subject);
  }
}

for (const subject of subjects) {
  t.test(`${subject.name}: any call of ADD fails: it says so and has undone what it did, or goes on`, async (t) => {
    const failures = failuresOf(await callsOf(t, await groundOf(t, subject), "ADD"));
    t.ok(failures.length > 120, `${failures.length} failures`);
    await atEach(t, subject, failures, async (ground, failure, what) => {
      const answer = await ground.attachment.run("ADD", {}, { under: failingAt(failure.call, failure.errno) });
      await addTold(t, ground, answer, { ...failure, what });
    });
  });

  t.test(
    `${subject.name}: any call of DEL fails: it says so and what is left is recorded, or it goes on`,
    async (t) => {
      const ground = await groundOf(t, subject);
      await ground.attachment.add();
      const failures = failuresOf(await callsOf(t, ground, "DEL"));
      t.ok(failures.length > 120, `${failures.length} failures`);
      await atEach(t, subject, failures, async (ground, failure, what) => {
        await ground.attachment.add();
        const answer = await ground.attachment.run("DEL", {}, { under: failingAt(failure.call, failure.errno) });
        await delTold(t, ground, answer, { ...failure, what });
      });
    },
  );
}
