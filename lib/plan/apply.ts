// Performs a plan on a kernel, and undoes it.
import type { Change, Scope } from "./change.ts";
import { scope } from "./change.ts";
import type { State } from "./state.ts";
import { type Step, stepsOf, undoing } from "./step.ts";

/** What a plan is performed on: a network namespace of the real kernel, or a model of one. */
export interface Kernel {
  /** What is there now. */
  observe(scope: Scope): State;
  /**
   * Does one step, or throws and says what was refused. Giving what is there already, and taking
   * what is not, are no errors.
   */
  perform(step: Step): void;
}

/**
 * Performs the changes in order, up to the first failure, which it throws.
 * @param state what was observed when the changes were planned
 */
export function apply(changes: readonly Change[], kernel: Kernel, state: State): void {
  for (const change of changes) for (const step of stepsOf(change, state)) kernel.perform(step);
}

/**
 * Undoes the changes, as far as they were made. Goes on past failures, and gives them all; only
 * where a link does not get back its name, its state or an address, the rest of it is left
 * for the next call: another link may have the name, and of addresses the first one is the primary.
 */
export function undo(changes: readonly Change[], kernel: Kernel): unknown[] {
  const failures: unknown[] = [];
  for (const steps of undoing(changes, kernel.observe(scope(changes)))) {
    for (const step of steps) {
      try {
        kernel.perform(step);
      } catch (failure) {
        failures.push(failure);
        if (step.do === "configure" || step.do === "assign") break;
      }
    }
  }
  return failures;
}
