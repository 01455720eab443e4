// The type of a rule: its name, which begins with its source, and its check.
import type { Subject } from "./subject.ts";
import type { Trial } from "./trial.ts";

/**
 * A rule. The sources:
 *
 * - S1 to S5: the sections of CNI's SPEC.md;
 * - `skel`: behaviour of plugins that use CNI's Go library, on which users rely;
 * - `libcni`, `go-cni`, `Multus`: what these callers require;
 * - `ours`: what this project adds.
 */
export interface Rule {
  readonly name: `${"S1" | "S2" | "S3" | "S4" | "S5" | "skel" | "libcni" | "go-cni" | "Multus" | "ours"}: ${string}`;
  /** Set if an ADD must succeed in the check, which needs a device or link to bind. */
  readonly attaches?: true;
  /** The subjects to which the rule applies. Default: all. */
  readonly of?: (subject: Subject) => boolean;
  /** Must leave the ground as before. */
  readonly check: (trial: Trial) => Promise<void>;
}
