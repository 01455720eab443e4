// Makes each system call of ADD and DEL fail once, with each errno that it can return (strace's
// fault injection). The plugin reports the error or recovers from it, and leaves nothing behind.
import t, { type Test } from "tap";
import { failingAt, type SystemCall, sampleByDefault, sampled, watch } from "../../harness/faults.ts";
import { type Failure, failuresOf, watchedCalls } from "./errnos.ts";
import { checkAddAfterFault, checkDelAfterFault } from "./fault-outcome.ts";
import { describe, type Ground, groundOf, type Subject } from "./subject.ts";
import { subjects } from "./subjects.ts";

sampleByDefault(7);

/** The system calls that a verb makes. */
async function callsOf(t: Test, { attachment }: Ground, verb: string): Promise<SystemCall[]> {
  const { under, calls } = await watch(t, watchedCalls);
  t.match(await attachment.run(verb, {}, { under }), { status: 0 });
  return await calls();
}

/**
 * Tries the failures, or a sample of them. After each, the pod must be as before; if it is not, the
 * next failure is tried on a new pod.
 */
async function forEachFailure(
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
  t.test(
    `${subject.name}: if a system call of ADD fails, ADD reports it and undoes its changes, or succeeds`,
    async (t) => {
      const failures = failuresOf(await callsOf(t, await groundOf(t, subject), "ADD"));
      t.ok(failures.length > 120, `${failures.length} failures`);
      await forEachFailure(t, subject, failures, async (ground, failure, what) => {
        const answer = await ground.attachment.run("ADD", {}, { under: failingAt(failure.call, failure.errno) });
        await checkAddAfterFault(t, ground, answer, { ...failure, what });
      });
    },
  );

  t.test(
    `${subject.name}: if a system call of DEL fails, DEL reports it and keeps the record, or succeeds`,
    async (t) => {
      const ground = await groundOf(t, subject);
      await ground.attachment.add();
      const failures = failuresOf(await callsOf(t, ground, "DEL"));
      t.ok(failures.length > 120, `${failures.length} failures`);
      await forEachFailure(t, subject, failures, async (ground, failure, what) => {
        await ground.attachment.add();
        const answer = await ground.attachment.run("DEL", {}, { under: failingAt(failure.call, failure.errno) });
        await checkDelAfterFault(t, ground, answer, { ...failure, what });
      });
    },
  );
}
