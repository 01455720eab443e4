// Every change that the kernel is asked for by rtnetlink refused, once, with each errno that it can
// give: as a kernel refuses, in its ACK.
import t, { type Test } from "tap";
import { sampled, sampleUnlessTold } from "../../harness/faults.ts";
import { type Change, refusals, refusing, watchChanges } from "./kernel-refusal.ts";
import { describe, type Ground, groundOf, type Subject } from "./subject.ts";
import { subjects } from "./subjects.ts";
import { addTold, delTold } from "./told.ts";

sampleUnlessTold(5);

/** Every fourth type from RTM_DELLINK (17) on deletes. */
const isDeletion = ({ type }: Change): boolean => type % 4 === 1;

/**
 * The errno; or that no answer came: where a list before it takes another number of datagrams than
 * when it was watched, the answer that is changed is another one.
 */
const saying = (errno: string): RegExp => new RegExp(`${errno}|EAGAIN`);

/** All refusals of all changes that a verb asks for. */
async function refusalsOf(t: Test, { attachment }: Ground, verb: string): Promise<[Change, errno: string][]> {
  const { under, changes } = await watchChanges(t);
  t.match(await attachment.run(verb, {}, { under }), { status: 0 });
  return (await changes()).flatMap((change) =>
    Object.keys(refusals)
      // It would say that the thing is gone, which it is not.
      .filter((errno) => !(errno === "ENODEV" && isDeletion(change)))
      .map((errno): [Change, string] => [change, errno]),
  );
}

async function atEach(
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

// The others ask rtnetlink for nothing.
for (const subject of subjects.filter(({ name }) => name === "bridge-binding")) {
  t.test(`${subject.name}: any change of ADD is refused: it says so and has undone what it did`, async (t) => {
    const points = await refusalsOf(t, await groundOf(t, subject), "ADD");
    t.ok(points.length > 120, `${points.length} refusals`);
    await atEach(t, subject, points, async (ground, under, [errno, what]) => {
      const answer = await ground.attachment.run("ADD", {}, { under });
      // An index that is taken, and a kind of link that the kernel does not have, are got round.
      const outcome = /^(EBUSY|EOPNOTSUPP) to type 16,/.test(what) ? "either" : "told";
      await addTold(t, ground, answer, { outcome, says: saying(errno), what });
    });
  });

  t.test(`${subject.name}: any change of DEL is refused: it says so, and the next one restores`, async (t) => {
    const ground = await groundOf(t, subject);
    await ground.attachment.add();
    const points = await refusalsOf(t, ground, "DEL");
    t.ok(points.length > 90, `${points.length} refusals`);
    await atEach(t, subject, points, async (ground, under, [errno, what]) => {
      await ground.attachment.add();
      const answer = await ground.attachment.run("DEL", {}, { under });
      await delTold(t, ground, answer, { outcome: "told", says: saying(errno), what });
    });
  });
}
