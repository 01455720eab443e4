// Tests sriov-vfio if the kernel rejects any of its changes: ADD reverts, and DEL reports what is
// left until it succeeds.
import t from "tap";
import { failingAt, failingFrom, type Mutation } from "../../../harness/faults.ts";
import { atEach, ground, mutationsOf, sampleWhereEmulated } from "../faulty.ts";
import { done } from "../pod.ts";

sampleWhereEmulated(4);

const here = await ground(t);
const { pod, run } = here;
const { add, del } = await mutationsOf(t, here);

/** The position in `del` of the change that removes the record. Later changes restore nothing. */
const recordRemoved = del.findIndex(({ name, text }) => name === "unlinkat" && text.includes('"net1.json"'));
const isSysfs = ({ text }: Mutation): boolean => /^write\(\d+<\/sys\//.test(text);
const refusals: readonly (readonly [string, (point: Mutation) => boolean])[] = [
  ["EPERM", () => true],
  ["ENOSPC", (point) => !isSysfs(point) && point.name !== "sendto"],
  ["EBUSY", isSysfs],
  ["ENODEV", isSysfs],
];

for (const [errno, isSubject] of refusals) {
  t.test(`ADD reports ${errno} at any change and reverts the changes made before`, async (t) => {
    await atEach(t, here, add.filter(isSubject), async (point, what) => {
      const answer = await run("ADD", failingAt(point, errno));
      t.match(answer, { status: 1, error: { code: Number, msg: new RegExp(errno) } }, what);
    });
  });

  t.test(`DEL reports ${errno} at any change, and the next DEL restores the VF`, async (t) => {
    await atEach(t, here, del.filter(isSubject), async (point, what) => {
      t.match(await run("ADD"), { status: 0 });
      const answer = await run("DEL", failingAt(point, errno));
      t.match(answer, { status: 1, error: { code: Number, msg: new RegExp(errno) } }, what);
      t.notMatch(answer.stdout, /not found|no such file or directory/i, "containerd takes these words for success");
      if (del.indexOf(point) <= recordRemoved) t.not(pod.records().length, 0, "what is left is on record");
      t.match(await run("DEL"), done);
    });
  });
}

t.test("DEL restores the VF after a change of ADD and its revert have failed", async (t) => {
  await atEach(t, here, add, async (point, what) => {
    const answer = await run("ADD", failingFrom(point, "EPERM"));
    // If write(2) fails, the plugin cannot write its answer either.
    t.match(answer, point.name === "write" ? { status: 1 } : { status: 1, stdout: /EPERM/ }, what);
    t.match(await run("DEL"), done);
  });
});
