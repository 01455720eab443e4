// Random calls: each ends in time with a well-formed answer, and a failed call changes nothing.
import { fc } from "../../../harness/fast-check.ts";
import { emulated } from "../emulation.ts";
import { changesOf, type Mutant, mutant } from "../mutants.ts";
import type { Rule } from "../rule.ts";
import { settledState } from "../settled.ts";
import { invoke, type Trial } from "../trial.ts";

/**
 * Variables of the environment: FUZZ_RUNS is how many calls of each subject are tried. FUZZ_PATH,
 * with TEST_SEED, repeats a failure.
 */
const { FUZZ_RUNS, FUZZ_PATH } = process.env;
const runs = Number(FUZZ_RUNS ?? (emulated ? 25 : 100));
const parameters: fc.Parameters<[Mutant]> = {
  ...(FUZZ_PATH !== undefined && { path: FUZZ_PATH }),
  // In milliseconds; includes the time in which fast-check shrinks a failure.
  interruptAfterTimeLimit: 60_000,
};

async function holds({ t }: Trial, property: fc.IAsyncProperty<[Mutant]>, share: number): Promise<void> {
  const details = await fc.check(property, { ...parameters, numRuns: Math.ceil(runs * share) });
  t.comment(`TEST_SEED=${details.seed} FUZZ_PATH=${details.counterexamplePath ?? ""}: ${details.numRuns} calls`);
  const { failed, counterexample, errorInstance } = details;
  t.notOk(failed, "it holds for every call", { counterexample, why: `${(errorInstance as Error | null)?.message}` });
}

/**
 * A property of a call. Afterwards the pod is deleted, whatever happened, so that the next calls do
 * not fail.
 */
function property(trial: Trial, verbs: readonly string[], check: (one: Mutant) => Promise<void>) {
  return fc.asyncProperty(mutant(...verbs), async (one) => {
    try {
      await check(one);
    } finally {
      await called(trial, "DEL");
    }
  });
}

/** Calls a verb. Throws if the answer is not well-formed. */
async function called({ subject, ground }: Trial, verb: string, changes = {}) {
  const { answer, faults } = await invoke(subject, ground, verb, changes);
  if (faults.length > 0) throw new Error(`${verb}: ${faults.join("; ")}\n${JSON.stringify(answer)}`);
  return answer;
}

async function succeeded(trial: Trial, verb: string, changes = {}): Promise<void> {
  const { status, stdout } = await called(trial, verb, changes);
  if (status !== 0) throw new Error(`${verb}: ${status}\n${stdout}`);
}

async function unchanged({ ground }: Trial, before: readonly string[], when: string): Promise<void> {
  const found = await settledState(ground, before);
  if (found.length > 0) throw new Error(`${when}:\n${found.join("\n")}`);
}

export const mutation: readonly Rule[] = [
  {
    name: "ours: any call for an unattached pod ends in time with a well-formed answer, and changes nothing; if it is a successful ADD, DEL reverts it",
    check: async (trial) => {
      const before = await trial.ground.state();
      const verbs = ["ADD", "ADD", "ADD", "DEL", "CHECK", "GC", "STATUS"];
      const harmless = property(trial, verbs, async (one) => {
        const changes = changesOf(one, trial.ground);
        const { status } = await called(trial, one.verb, changes);
        if (one.verb === "ADD" && status === 0) await succeeded(trial, "DEL", changes);
        await unchanged(trial, before, `after ${one.verb}, which ended with ${status}`);
      });
      await holds(trial, harmless, 0.6);
    },
  },
  {
    name: "ours: a failed call for an attached pod changes nothing, and after any call DEL restores everything",
    attaches: true,
    check: async (trial) => {
      const before = await trial.ground.state();
      const verbs = ["DEL", "DEL", "GC", "GC", "CHECK", "STATUS", "ADD"];
      const undone = property(trial, verbs, async (one) => {
        await succeeded(trial, "ADD");
        const between = await trial.steady();
        const changes = changesOf(one, trial.ground);
        const { status } = await called(trial, one.verb, changes);
        if (one.verb === "ADD" && status === 0) await succeeded(trial, "DEL", changes);
        const mayDetach = status === 0 && (one.verb === "DEL" || one.verb === "GC" || one.verb === "ADD");
        if (!mayDetach) await unchanged(trial, between, `after ${one.verb}, which ended with ${status}`);
        await succeeded(trial, "DEL");
        await unchanged(trial, before, `after ${one.verb} and DEL`);
      });
      await holds(trial, undone, 0.4);
    },
  },
];
