// Refuses each change that ADD and DEL request through rtnetlink, once, with each errno that the
// kernel can return in its ACK.
import t, { type Test } from "tap";
import { sampleByDefault, sampled } from "../../harness/faults.ts";
import { checkAddAfterFault, checkDelAfterFault } from "./fault-outcome.ts";
import { type Change, refusals, refusing, watchChanges } from "./kernel-refusal.ts";
import { describe, type Ground, groundOf, type Subject } from "./subject.ts";
import { subjects } from "./subjects.ts";

sampleByDefault(5);

/** RTM_DELLINK is 17, and each fourth type after it deletes, too. */
const isDeletion = ({ type }: Change): boolean => type % 4 === 1;

/**
 * Matches the errno, or EAGAIN (no answer). If an earlier dump takes another number of datagrams
 * than in the watched run, strace overwrites another answer, and the ACK is missing.
 */
const messageOf = (errno: string): RegExp => new RegExp(`${errno}|EAGAIN`);

/** All refusals of all changes that a verb requests. */
async function refusalsOf(t: Test, { attachment }: Ground, verb: string): Promise<[Change, errno: string][]> {
  const { under, changes } = await watchChanges(t);
  t.match(await attachment.run(verb, {}, { under }), { status: 0 });
  return (await changes()).flatMap((change) =>
    Object.keys(refusals)
      // ENODEV would mean that the object is deleted already, which is not so.
      .filter((errno) => !(errno === "ENODEV" && isDeletion(change)))
      .map((errno): [Change, string] => [change, errno]),
  );
}

async function forEachRefusal(
  t: Test,
  subject: Subject,
  points: readonly [Change, errno: string][],
  refuse: (ground: Ground, under: readonly string[], [errno, what]: [string, string]) => Promise<void>,
): Promise<void> {
  let ground = await groundOf(t, subject);
  for (const [change, errno] of sampled(t, points)) {
    const what = `${errno} to type ${change.type}, ${describe(change.request)}`;
    await refuse(ground, refusing(change, errno), [errno, what]);
    if (!t.same(await ground.differences(), [], what)) ground = await groundOf(t, subject);
  }
}

// The other plugins request nothing through rtnetlink.
for (const subject of subjects.filter(({ name }) => name === "bridge-binding")) {
  t.test(`${subject.name}: if the kernel refuses a change of ADD, ADD reports it and undoes its changes`, async (t) => {
    const points = await refusalsOf(t, await groundOf(t, subject), "ADD");
    t.ok(points.length > 120, `${points.length} refusals`);
    await forEachRefusal(t, subject, points, async (ground, under, [errno, what]) => {
      const answer = await ground.attachment.run("ADD", {}, { under });
      // ADD retries if an interface index is taken, and does without a kind that the kernel lacks.
      const outcome = /^(EBUSY|EOPNOTSUPP) to type 16,/.test(what) ? "either" : "reported";
      await checkAddAfterFault(t, ground, answer, { outcome, says: messageOf(errno), what });
    });
  });

  t.test(
    `${subject.name}: if the kernel refuses a change of DEL, DEL reports it, and the next DEL restores the pod`,
    async (t) => {
      const ground = await groundOf(t, subject);
      await ground.attachment.add();
      const points = await refusalsOf(t, ground, "DEL");
      t.ok(points.length > 90, `${points.length} refusals`);
      await forEachRefusal(t, subject, points, async (ground, under, [errno, what]) => {
        await ground.attachment.add();
        const answer = await ground.attachment.run("DEL", {}, { under });
        await checkDelAfterFault(t, ground, answer, { outcome: "reported", says: messageOf(errno), what });
      });
    },
  );
}
