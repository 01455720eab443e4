// What an author writes for a plugin whose whole work is a plan for the pod's network namespace.
import type { AddCall, NetconfSchema } from "../cni/plugin.ts";
import type { Result } from "../cni/results.ts";
import type { NetnsKernel } from "../kernel/netns.ts";
import type { Planned } from "../plan/attachments.ts";
import type { Change } from "../plan/change.ts";
import type { Difference } from "../plan/differences.ts";
import type { Requirement } from "./operator.ts";

/** Every conf of such a plugin has the journal's directory. */
export interface Journaled {
  readonly dataDir: string;
}

/** A plugin that prepares a pod's namespace. */
export interface PodPlugin<C extends Journaled, D extends Journaled, P extends Planned> {
  readonly name: string;
  readonly about: string;
  readonly schema: NetconfSchema<C, D>;
  /**
   * The sysctls that the plan changes. A record with another one is refused. Default: all of a
   * network namespace.
   */
  readonly sysctls?: RegExp;
  /**
   * Whether an ADD with this conf starts a program. Default: it does not, and is confined
   * (docs/security.md).
   */
  startsPrograms?(conf: C): boolean;
  /**
   * Reads the pod's namespace and returns the changes that ADD makes. Changes nothing. Throws if
   * they cannot be made.
   */
  plan(kernel: NetnsKernel, call: AddCall<C>): P;
  /** What ADD reports once the plan is performed. */
  report(planned: P, call: AddCall<C>): Result;
  /** What CHECK finds. Default: every difference from what ADD made. */
  differences?(kernel: NetnsKernel, call: AddCall<C>): Difference[];
  /** What `check` finds if only the record is known. Default: every difference from the record. */
  recorded?(kernel: NetnsKernel, due: readonly Change[]): Difference[];
  /**
   * What STATUS checks, in addition to the journal's directory and the right to enter namespaces.
   */
  readonly requirements: readonly Requirement[];
}
