// What a rule is: a sentence that begins with where it is from, and how it is tried.
import type { Subject } from "./subject.ts";
import type { Trial } from "./trial.ts";

/**
 * A rule. S1 to S5 are the sections of CNI's SPEC.md, `skel` what plugins made with its Go library
 * do and users rely on, `libcni`, `go-cni` and `Multus` what these callers
 * demand, `ours` what this project adds to it.
 */
export interface Rule {
  readonly name: `${"S1" | "S2" | "S3" | "S4" | "S5" | "skel" | "libcni" | "go-cni" | "Multus" | "ours"}: ${string}`;
  /** Whether an ADD has to succeed in it, for which there must be what it binds. */
  readonly attaches?: true;
  /** Whom it concerns; everybody unless told. */
  readonly of?: (subject: Subject) => boolean;
  /** Must leave the ground as it found it. */
  readonly check: (trial: Trial) => Promise<void>;
}
