// What an author writes for a plugin whose whole work is a plan for the pod's network namespace.
import type { AddCall, NetconfSchema } from "../cni/plugin.ts";
import type { Result } from "../cni/results.ts";
import type { NetnsKernel } from "../kernel/netns.ts";
import type { Planned } from "../plan/attachments.ts";
import type { Change } from "../plan/change.ts";
import type { Difference } from "../plan/differences.ts";
import type { Requirement } from "./operator.ts";

/** What such a plugin's configuration must have: the directory of its journal. */
export interface Journaled {
  readonly dataDir: string;
}

/** One of these plugins. */
export interface PodPlugin<C extends Journaled, D extends Journaled, P extends Planned> {
  readonly name: string;
  readonly about: string;
  readonly schema: NetconfSchema<C, D>;
  /**
   * Sees the pod's namespace, changes nothing, and gives the changes that ADD is to make. Throws
   * where they cannot be made.
   */
  plan(kernel: NetnsKernel, call: AddCall<C>): P;
  /** What ADD tells the runtime once the plan is performed. */
  report(planned: P, call: AddCall<C>): Result;
  /** What CHECK finds wrong: every difference from what ADD made, unless told. */
  differences?(kernel: NetnsKernel, call: AddCall<C>): Difference[];
  /**
   * The same where only the record is known: every difference from what it describes, unless told.
   */
  recorded?(kernel: NetnsKernel, due: readonly Change[]): Difference[];
  /**
   * What STATUS checks, in addition to the journal's directory and the right to enter namespaces.
   */
  readonly requirements: readonly Requirement[];
}
