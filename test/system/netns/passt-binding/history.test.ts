import t from "tap";
import { fc } from "../../../harness/fast-check.ts";
import { killedBefore, type Mutation, watch } from "../../../harness/faults.ts";
import { createPod, type Pod } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { type Rights, rightsIn, setRights } from "./rights.ts";
import { passtsOf } from "./several.ts";

/** The configurations of three networks. No two are equal, and none includes all of another. */
const wishes = [
  { unprivilegedPortStart: 1000, pingGroupRange: [107, 107] },
  { unprivilegedPortStart: 80, pingGroupRange: [1000, 1000] },
  { unprivilegedPortStart: 80, pingGroupRange: [500, 600] },
] as const;

/** One event in a history. The values of `set` differ from all values that the plugin sets. */
type Event =
  | { readonly is: "ADD" | "DEL"; readonly who: number }
  | { readonly is: "killed"; readonly verb: "ADD" | "DEL"; readonly who: number; readonly nth: number }
  | { readonly is: "set"; readonly port: number; readonly group: number; readonly many: number };

const who = fc.nat({ max: wishes.length - 1 });
const verb = fc.constantFrom("ADD" as const, "DEL" as const);
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ is: verb, who }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant("killed" as const), verb, who, nth: fc.nat({ max: 12 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      is: fc.constant("set" as const),
      port: fc.integer({ min: 1, max: 1023 }).filter((port) => port !== 80 && port !== 1000),
      group: fc.integer({ min: 1, max: 2000 }).filter((group) => ![107, 500, 1000].includes(group)),
      many: fc.nat({ max: 300 }),
    }),
  },
);

/** Histories that failed once, each with the order of its last DELs. Every run repeats them. */
const known: [events: Event[], order: number[]][] = [
  [
    [
      { is: "ADD", who: 1 },
      { is: "ADD", who: 0 },
      { is: "set", port: 81, group: 1, many: 0 },
      { is: "DEL", who: 1 },
      { is: "ADD", who: 2 },
      { is: "ADD", who: 1 },
    ],
    [0, 1, 2],
  ],
];

t.test("the last DEL restores the pod after any history, except what another process set", async (t) => {
  const pod = await createPod(t);
  const points = await mutationsOf(t, pod);
  const property = fc.asyncProperty(
    fc.array(event, { maxLength: 10 }),
    fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
    async (events, order) => {
      let due: Rights = ["1024", "1 0"];
      await setRights(pod.namespace, due);
      const passts = await passtsOf(t, pod, wishes);
      for (const event of events)
        if (event.is === "set") {
          due = [`${event.port}`, `${event.group} ${event.group + event.many}`];
          await setRights(pod.namespace, due);
        } else if (event.is === "killed") {
          const all = points[event.verb];
          await passts[event.who]!.run(event.verb, {}, { under: killedBefore(all[event.nth % all.length]!) });
        } else await passts[event.who]!.run(event.is);
      for (const position of order) await passts[position]!.del();
      const left = [...(await rightsIn(pod.namespace)), ...(await passts[0].journal())];
      if (`${left}` !== `${due}`) throw new Error(`is ${left}, not ${due}`);
    },
  );
  const numRuns = Number(process.env["HISTORIES"] ?? 25);
  const { failed, counterexample, errorInstance, seed } = await fc.check(property, { numRuns, examples: known });
  t.comment(`${numRuns} histories, seed ${seed}`);
  t.notOk(failed, failed ? `${(errorInstance as Error).message}: ${JSON.stringify(counterexample)}` : "all ended so");
});

/**
 * Returns the system calls by which ADD and DEL of the second network change something after ADD of
 * the first network.
 */
async function mutationsOf(t: Scope, pod: Pod): Promise<{ ADD: Mutation[]; DEL: Mutation[] }> {
  const [one, other] = await passtsOf(t, pod, wishes);
  await one.add();
  const watched = async (verb: string): Promise<Mutation[]> => {
    const { under, mutations } = await watch(t);
    await other.run(verb, {}, { under });
    return await mutations();
  };
  const found = { ADD: await watched("ADD"), DEL: await watched("DEL") };
  await one.del();
  return found;
}
