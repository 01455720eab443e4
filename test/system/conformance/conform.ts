// Tries all rules on a subject, on one ground as long as none of them fails.
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

/** All that there are. */
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

/** Those that need something to attach to, which for some subjects is in the lab alone. */
export const attaching: readonly Rule[] = rules.filter(({ attaches }) => attaches);

/**
 * Tries those that concern the subject and can be tried where it is, each as a test by its name,
 * after which the ground has to be as it was before.
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
      // What a rule broke is not the next one's fault.
      if (!t.passing()) ground = undefined;
    });
  }
}
