// sriov-vfio refused any of its changes: ADD leaves the VF as it was, and DEL says what is left,
// until it succeeds.
import t from "tap";
import { failingAt, failingFrom, type Mutation } from "../../../harness/faults.ts";
import { atEach, ground, mutationsOf, sampleWhereEmulated } from "../faulty.ts";
import { done } from "../pod.ts";

sampleWhereEmulated(4);

const here = await ground(t);
const { pod, run } = here;
const { add, del } = await mutationsOf(t, here);

const isSysfs = ({ text }: Mutation): boolean => /^write\(\d+<\/sys\//.test(text);
const refusals: readonly (readonly [string, (point: Mutation) => boolean])[] = [
  ["EPERM", () => true],
  ["ENOSPC", (point) => !isSysfs(point) && point.name !== "sendto"],
  ["EBUSY", isSysfs],
  ["ENODEV", isSysfs],
];

for (const [errno, isSubject] of refusals) {
  t.test(`any change of ADD fails with ${errno}: ADD says so, and has undone what it did`, async (t) => {
    await atEach(t, here, add.filter(isSubject), async (point, what) => {
      const answer = await run("ADD", failingAt(point, errno));
      t.match(answer, { status: 1, error: { code: Number, msg: new RegExp(errno) } }, what);
    });
  });

  t.test(`any change of DEL fails with ${errno}: DEL says so, and the next one gives the VF back`, async (t) => {
    await atEach(t, here, del.filter(isSubject), async (point, what) => {
      t.match(await run("ADD"), { status: 0 });
      const answer = await run("DEL", failingAt(point, errno));
      t.match(answer, { status: 1, error: { code: Number, msg: new RegExp(errno) } }, what);
      t.notMatch(answer.stdout, /not found|no such file or directory/i, "containerd takes these words for success");
      t.not(pod.records().length, 0, "what is left is on record");
      t.match(await run("DEL"), done);
    });
  });
}

t.test("any change of ADD fails, and so does undoing it: ADD says both, and DEL gives the VF back", async (t) => {
  await atEach(t, here, add, async (point, what) => {
    const answer = await run("ADD", failingFrom(point, "EPERM"));
    // Where it is write(2) that fails, the answer cannot be written either.
    t.match(answer, point.name === "write" ? { status: 1 } : { status: 1, stdout: /EPERM/ }, what);
    t.match(await run("DEL"), done);
  });
});
