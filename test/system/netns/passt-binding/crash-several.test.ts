import t, { type Test } from "tap";
import type { Attachment } from "../../../harness/attachment.ts";
import { failingAt, killedBefore, type Mutation, sampled, watch } from "../../../harness/faults.ts";
import { createPod, type Pod } from "../../../harness/pod.ts";
import { closed, rightsIn } from "./rights.ts";
import { orders, passtsOf } from "./several.ts";

const done = { status: 0, stdout: "" };

/**
 * The configurations of two networks.
 *
 * The first one needs more groups, and the second one needs more ports. So each ADD changes
 * something after the other.
 */
const wishes = [{ unprivilegedPortStart: 80, pingGroupRange: [100, 200] }, { unprivilegedPortStart: 0 }] as const;
const both = ["0", "100 200"];

/** The call that meets a fault, while the other network's attachment exists. */
interface Second {
  readonly verb: "ADD" | "DEL";
  /** The position of the attachment to call. */
  readonly who: 0 | 1;
}

function nameOf({ verb, who }: Second): string {
  return `${verb} of the ${["first", "second"][who]} of two`;
}

/** Returns the system calls by which the call changes something, in order. */
async function mutationsOf(t: Test, second: Second): Promise<Mutation[]> {
  const passts = await bothReady(t, await createPod(t), second);
  const { under, mutations } = await watch(t);
  t.match(await passts[second.who].run(second.verb, {}, { under }), { status: 0 });
  return await mutations();
}

/** Adds the other attachment. For DEL, then also adds the attachment to call. */
async function bothReady(t: Test, pod: Pod, { verb, who }: Second): Promise<readonly [Attachment, Attachment]> {
  const passts = await passtsOf(t, pod, wishes);
  await passts[1 - who]!.add();
  if (verb === "DEL") await passts[who].add();
  return passts;
}

const killedIn: readonly Second[] = [
  { verb: "ADD", who: 0 },
  { verb: "ADD", who: 1 },
  { verb: "DEL", who: 0 },
  { verb: "DEL", who: 1 },
];
for (const second of killedIn)
  t.test(`DELs in either order restore the pod after ${nameOf(second)} is killed before any change`, (t) =>
    restoresAfter(t, second, killedBefore),
  );

for (const who of [0, 1] as const)
  t.test(`DELs in either order restore the pod after any change of ${nameOf({ verb: "DEL", who })} fails`, (t) =>
    restoresAfter(t, { verb: "DEL", who }, (point) => failingAt(point, "EPERM")),
  );

/** Checks that both DELs, in either order, revert everything that a fault left. */
async function restoresAfter(t: Test, second: Second, fault: (point: Mutation) => readonly string[]): Promise<void> {
  const pod = await createPod(t);
  for (const point of sampled(t, await mutationsOf(t, second)))
    for (const order of orders([0, 1])) {
      const passts = await bothReady(t, pod, second);
      await passts[second.who].run(second.verb, {}, { under: fault(point) });
      for (const position of order) t.match(await passts[position]!.run("DEL"), done);
      const end = [...(await rightsIn(pod.namespace)), ...(await passts[0].journal())];
      t.same(end, closed, `${point.name} ${point.nth}: ${point.text.slice(0, 90)}, DEL ${order}`);
    }
}

for (const who of [0, 1] as const)
  t.test(
    `${nameOf({ verb: "ADD", who })} succeeds after a kill before any change, and the other keeps its rights`,
    async (t) => {
      const pod = await createPod(t);
      const second: Second = { verb: "ADD", who };
      for (const point of sampled(t, await mutationsOf(t, second))) {
        const passts = await bothReady(t, pod, second);
        const [one, other] = [passts[who], passts[1 - who]!];
        await one.run("ADD", {}, { under: killedBefore(point) });
        const [ports, groups] = await rightsIn(pod.namespace);
        const [first, last] = groups.split(" ").map(Number) as [number, number];
        t.ok(Number(ports) <= (who === 0 ? 0 : 80), `${ports}: ${point.text.slice(0, 90)}`);
        t.ok(who === 0 ? first <= 107 && last >= 107 : groups === "100 200", groups);
        const again = await one.run("ADD");
        if (again.status !== 0) {
          t.match(again.error, { code: 102, msg: /call DEL first/ }, "it was killed when all was done");
          await one.del();
          await one.add();
        }
        t.same(await rightsIn(pod.namespace), both);
        for (const passt of passts) t.match(await passt.check(), done);
        await other.del();
        t.same(await rightsIn(pod.namespace), both);
        t.match(await one.check(), done);
        await one.del();
        t.same([...(await rightsIn(pod.namespace)), ...(await one.journal())], closed);
      }
    },
  );

for (const who of [0, 1] as const)
  t.test(
    `${nameOf({ verb: "ADD", who })} reverts its changes after any change fails, and the other keeps its rights`,
    async (t) => {
      const pod = await createPod(t);
      const second: Second = { verb: "ADD", who };
      for (const point of sampled(t, await mutationsOf(t, second))) {
        const passts = await bothReady(t, pod, second);
        const [one, other] = [passts[who], passts[1 - who]!];
        const before = [...(await rightsIn(pod.namespace)), ...(await one.journal())];
        const what = `${point.name} ${point.nth}: ${point.text.slice(0, 90)}`;
        const answer = await one.run("ADD", {}, { under: failingAt(point, "ENOSPC") });
        t.match(answer, { status: 1, error: { code: Number, msg: /ENOSPC/ } }, what);
        t.same([...(await rightsIn(pod.namespace)), ...(await one.journal())], before, what);
        t.match(await other.check(), done, what);
        await other.del();
        await one.del();
        t.same([...(await rightsIn(pod.namespace)), ...(await one.journal())], closed, what);
      }
    },
  );
