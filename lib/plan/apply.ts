// Performs a plan on a kernel, and undoes it.
import type { Change, Scope } from "./change.ts";
import { scope } from "./change.ts";
import type { State } from "./state.ts";
import { type Step, stepsOf, undoing } from "./step.ts";

/** The target of a plan: a network namespace of the real kernel, or a model of one. */
export interface Kernel {
  /** Returns the current state. */
  observe(scope: Scope): State;
  /**
   * Performs one step. Throws if the kernel refuses it. Adding what exists and removing what does
   * not exist are no errors.
   */
  perform(step: Step): void;
}

/**
 * Performs the changes in order, up to the first failure, which it throws.
 * @param state the state that the changes were planned from
 */
export function apply(changes: readonly Change[], kernel: Kernel, state: State): void {
  for (const change of changes) for (const step of stepsOf(change, state)) kernel.perform(step);
}

/**
 * Undoes the changes, as far as they were performed. Goes on after failures, and returns all of
 * them.
 *
 * If a link does not get back its name, its state or an address, the rest of that link is left for
 * the next call: another link may have the name, and the first address of a network is the primary
 * one.
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
