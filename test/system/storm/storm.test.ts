// Thousands of calls of every plugin in several pods, with kills, stops and concurrent verbs. No
// answer is wrong, and in the end the whole node is as before.
//
// The test needs a /run and a /var/log of its own, because it compares everything in them:
// test/runner/storm.ts runs it. STORM_CALLS is the number of calls, TEST_SEED their seed.
import { readdirSync } from "node:fs";
import t from "tap";
import { each } from "../../harness/each.ts";
import { chance, seed } from "../../harness/seed.ts";
import { type Choice, callTarget, chooseCall, type Figures, Target } from "./calls.ts";
import { createNode, differencesFrom, leftovers, type Node, stateOf } from "./node.ts";

const calls = Number(process.env["STORM_CALLS"] ?? 20_000);
/** After so many calls, all attachments are deleted and the node is compared. */
const between = 2_500;
const podCount = 6;
/** How many calls run at the same time. */
const callers = 12;

/** Makes calls of random attachments. Returns what is wrong with their answers. */
async function makeCalls(targets: readonly Target[], random: () => number, figures: Figures): Promise<string[]> {
  const faults: string[] = [];
  let left = between;
  const caller = async (): Promise<void> => {
    while (left-- > 0) {
      const target = targets[Math.floor(random() * targets.length)]!;
      const { type } = target.attachment.netconf;
      const others = targets
        .filter((other) => other !== target && other.attachment.netconf["type"] === type)
        .map(({ attachment }) => attachment);
      const choice: Choice = chooseCall(random);
      const fault = await callTarget({ target, others, random, figures }, choice);
      if (fault !== undefined) faults.push(fault);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return faults;
}

/** Deletes all attachments. Returns what is wrong with the answers. */
async function calm(targets: readonly Target[]): Promise<string[]> {
  const answers = await each(targets, async (target) => {
    target.isAdded = false;
    return await target.attachment.run("DEL");
  });
  return answers.flatMap(({ status, stdout, stderr }) => (status === 0 ? [] : [`DEL: ${status} ${stdout}${stderr}`]));
}

t.test(`${calls} calls with kills, stops and concurrent verbs leave the node as it was`, async (t) => {
  t.same(
    readdirSync("/run").filter((name) => name !== "netns"),
    [],
    "/run is empty",
  );
  const node: Node = await createNode(t, podCount);
  const targets = node.attachments.flat().map((attachment) => new Target(attachment));
  const before = await stateOf(node);
  t.same(leftovers(before), [], "the first calls leave nothing");
  const random = chance();
  const figures: Figures = {};

  for (let made = between; made <= calls; made += between) {
    const what = `after ${made} calls with TEST_SEED=${seed}`;
    t.same(await makeCalls(targets, random, figures), [], `answers ${what}`);
    t.same(await calm(targets), [], `DELs ${what}`);
    t.same(await differencesFrom(node, before), [], `the node ${what}`);
  }

  const sorted = Object.fromEntries(Object.entries(figures).sort());
  t.comment(`storm: ${calls} calls in ${podCount} pods, seed ${seed}: ${JSON.stringify(sorted)}`);
  for (const key of ["ADD 0", "ADD killed", "DEL 0", "DEL killed", "CHECK 0", "GC 0", "SIGSTOP", "concurrent"])
    t.ok(figures[key]! > 0, key);
});
