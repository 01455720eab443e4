// A plugin's part in the verbs for people: what is on record, what of it has vanished, what the
// node lacks, what ADD would do.
import type { AddCall, Plugin } from "../cni/plugin.ts";
import type { Result } from "../cni/results.ts";
import type { ChangeText } from "../plan/words.ts";

/** A plugin whose records and plans the operator commands can read. */
export interface OperablePlugin<C, D> extends Plugin<C, D> {
  readonly operator: Operator<C>;
}

/**
 * What a plugin gives to the verbs for people. Nothing of it changes anything, but for `collect`
 * without `dryRun`.
 */
export interface Operator<C> {
  /** The directory of its records, unless a configuration names another one. */
  readonly dataDir: string;
  /**
   * Compares attachments on record with what is there: those of the container or the namespace, or
   * all. Throws where nothing can be looked at.
   */
  check(dataDir: string, only?: Selection): Inspection;
  /**
   * Removes what belongs to attachments whose namespace is certainly gone; with `dryRun`, only says
   * what would be. Goes on past failures.
   */
  collect(dataDir: string, dryRun: boolean): Collection;
  /** What STATUS checks. */
  requirements(conf: C): readonly Requirement[];
  /**
   * What ADD would do; undefined where that takes a namespace, or a device, that the call does not
   * name. Throws what ADD would refuse it with.
   */
  dryRun(call: DryRunCall<C>): DryRun | undefined;
}

/** Which attachments are meant. */
export type Selection = { readonly containerId: string } | { readonly netns: string };

/** What is wrong, and what to do about it. */
export interface Problem {
  readonly fact: string;
  readonly hint?: string;
}

/** An attachment on record. */
export interface RecordedAttachment {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
  /** Where its namespace was when it was added. */
  readonly netns: string;
  /** The PCI address, where it has a device. */
  readonly device?: string;
}

/**
 * `differs`: something is not as ADD left it; `vanished`: its namespace is gone, its record is not;
 * `interrupted`: its ADD was killed; `busy`: a call is at work on it; `unclear`: it
 * could not be looked at.
 */
export type Condition = "healthy" | "differs" | "vanished" | "interrupted" | "busy" | "unclear";

export interface Checked extends RecordedAttachment {
  readonly condition: Condition;
  /** Empty for a healthy one alone. */
  readonly findings: readonly Problem[];
}

export interface Inspection {
  readonly attachments: readonly Checked[];
  /** Records that cannot be read. */
  readonly unreadable: readonly Problem[];
}

/**
 * `removable`: would be removed; `alive`: left, because its namespace is there; `left`: left,
 * because nobody can tell; `failed`: could not be removed.
 */
export type Outcome = "removed" | "removable" | "alive" | "left" | "failed";

export interface Collected extends RecordedAttachment {
  readonly outcome: Outcome;
  /** What was done, or why it was not. */
  readonly why: string;
  readonly hint?: string;
}

export interface Collection {
  readonly attachments: readonly Collected[];
  readonly unreadable: readonly Problem[];
}

/** One thing that STATUS checks. */
export interface Requirement {
  /** Such as `/dev/net/tun`. */
  readonly what: string;
  /** @throws Error that says what is missing and what to do */
  readonly check: () => void;
}

/** An ADD that nobody calls. */
export type DryRunCall<C> = Omit<AddCall<C>, "netns" | "ipam"> & Partial<Pick<AddCall<C>, "netns">>;

/** What an ADD would do. */
export interface DryRun {
  /** In order. */
  readonly changes: readonly unknown[];
  /** The same in words: each change, and the steps that it takes. */
  readonly words: readonly ChangeText[];
  /** What the runtime would be told, as far as it is known. */
  readonly result?: Result;
}
