// What a plugin provides for operator commands: the state of its records, the requirements of the
// node, and what ADD would do.
import type { AddCall, Plugin } from "../cni/plugin.ts";
import type { Result } from "../cni/results.ts";
import type { ChangeText } from "../plan/words.ts";

/** A plugin whose records and plans the operator commands can read. */
export interface OperablePlugin<C, D> extends Plugin<C, D> {
  readonly operator: Operator<C>;
}

/** The plugin's part of the operator commands. Only `collect` without `dryRun` changes anything. */
export interface Operator<C> {
  /** The journal's directory, unless a netconf names another one. */
  readonly dataDir: string;
  /**
   * Compares recorded attachments with the state: those of the selection, or all. Throws if the
   * journal cannot be read.
   */
  check(dataDir: string, only?: Selection): Inspection;
  /**
   * Removes what belongs to attachments whose namespace does not exist any more. With `dryRun`,
   * only reports it. Goes on after a failure.
   */
  collect(dataDir: string, dryRun: boolean): Collection;
  /** What STATUS checks. */
  requirements(conf: C): readonly Requirement[];
  /**
   * Confines this process as a call is, until it ends, and returns the measures that the node's
   * kernel has. Absent if the plugin's calls are not confined.
   */
  confinement?(): readonly string[];
  /**
   * Returns what ADD would do. Undefined if that needs a namespace or a device that the call does
   * not name. Throws the error by which ADD would refuse the call.
   */
  dryRun(call: DryRunCall<C>): DryRun | undefined;
}

/** A part of the recorded attachments. */
export type Selection = { readonly containerId: string } | { readonly netns: string };

/** A fact, and what to do about it. */
export interface Problem {
  readonly fact: string;
  readonly hint?: string;
}

/** An attachment in the journal. */
export interface RecordedAttachment {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
  /** The path of its namespace at the time of ADD. */
  readonly netns: string;
  /** The PCI address of its device, if it has one. */
  readonly device?: string;
}

/**
 * The result of a comparison.
 *
 * - `differs`: the state differs from what ADD left.
 * - `vanished`: the namespace does not exist any more, and the record does.
 * - `interrupted`: ADD was killed.
 * - `busy`: another call holds the lock.
 * - `unclear`: the state could not be read.
 */
export type Condition = "healthy" | "differs" | "vanished" | "interrupted" | "busy" | "unclear";

export interface Checked extends RecordedAttachment {
  readonly condition: Condition;
  /** Empty only if the condition is `healthy`. */
  readonly findings: readonly Problem[];
}

export interface Inspection {
  readonly attachments: readonly Checked[];
  /** Records that cannot be read. */
  readonly unreadable: readonly Problem[];
}

/**
 * The result of a collection.
 *
 * - `removable`: a dry run would remove it.
 * - `alive`: kept, because its namespace exists.
 * - `left`: kept, because it is unclear whether the namespace exists.
 * - `failed`: could not be removed.
 */
export type Outcome = "removed" | "removable" | "alive" | "left" | "failed";

export interface Collected extends RecordedAttachment {
  readonly outcome: Outcome;
  /** What was done, or why nothing was. */
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

/** A call of ADD that no runtime makes. */
export type DryRunCall<C> = Omit<AddCall<C>, "netns" | "ipam"> & Partial<Pick<AddCall<C>, "netns">>;

/** What an ADD would do. */
export interface DryRun {
  /** In the order of ADD. */
  readonly changes: readonly unknown[];
  /** The changes in words, each with its steps. */
  readonly words: readonly ChangeText[];
  /** The result of ADD, as far as it is known. */
  readonly result?: Result;
}
