// Tries all rules on a subject. All rules share one ground until one fails.
import type { Test } from "tap";
import { differences, type Snapshot } from "../../harness/snapshot.ts";
import type { Rule } from "./rule.ts";
import { check } from "./rules/check.ts";
import { del } from "./rules/del.ts";
import { delegation } from "./rules/delegation.ts";
import { environment } from "./rules/environment.ts";
import { gc } from "./rules/gc.ts";
import { hostile } from "./rules/hostile.ts";
import { input } from "./rules/input.ts";
import { log } from "./rules/log.ts";
import { mutation } from "./rules/mutation.ts";
import { output } from "./rules/output.ts";
import { planted } from "./rules/planted.ts";
import { results } from "./rules/results.ts";
import { runtime } from "./rules/runtime.ts";
import { status } from "./rules/status.ts";
import { versionRules } from "./rules/versions.ts";
import { steadyState } from "./settled.ts";
import type { Ground, Subject } from "./subject.ts";
import { trialOf } from "./trial.ts";

export const rules: readonly Rule[] = [
  ...environment,
  ...input,
  ...versionRules,
  ...results,
  ...delegation,
  ...del,
  ...check,
  ...gc,
  ...status,
  ...runtime,
  ...output,
  ...log,
  ...hostile,
  ...planted,
  ...mutation,
];

/** The rules that need a device or link to attach; some subjects have one only in the lab. */
export const attaching: readonly Rule[] = rules.filter(({ attaches }) => attaches);

/**
 * Tries the rules that apply to the subject on this machine, each as a test with its name. After
 * each rule the ground must be as before.
 */
export async function conform(scope: Test, subject: Subject, some: readonly Rule[] = rules): Promise<void> {
  let ground: Ground | undefined;
  let before: Snapshot = [];
  let around: Snapshot = [];
  for (const { name, check, attaches = false, of = () => true } of some) {
    if ((attaches && !subject.attaches) || !of(subject)) continue;
    await scope.test(name, async (t) => {
      if (ground === undefined) {
        ground = await subject.ground(scope);
        before = await steadyState(ground);
        around = await ground.surroundings();
      }
      const trial = trialOf(t, subject, ground);
      await check(trial);
      await trial.isAsBefore(before, "the ground is as it was before the rule was tried");
      t.same(differences(around, await ground.surroundings()), [], "and so is what is around it");
      // A failed rule may have changed the ground, so the next rule gets a new one.
      if (!t.passing()) ground = undefined;
    });
  }
}
