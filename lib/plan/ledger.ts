// What attachments and allocations have in common: a journal entry for each, written before the
// first change and removed after the last one is undone.
import { failuresOf, throwAll, withUndoFailures } from "../failures.ts";
import type { Difference } from "./differences.ts";
import type { Attachment, Entry, Recorded, Removable } from "./entry.ts";
import type { Journal } from "./journal.ts";

/** The entries of one plugin in a journal, which another plugin may share. */
export class Ledger<E extends Entry<unknown>> {
  readonly journal: Journal<E>;
  readonly #isOwn: (entry: E) => boolean;
  readonly #gone: (containerId: string) => void;

  /**
   * @param isOwn whether an entry is of this plugin
   * @param gone is called when a container has no entry any more
   */
  constructor(
    journal: Journal<E>,
    isOwn: (entry: E) => boolean,
    gone: (containerId: string) => void = () => undefined,
  ) {
    this.journal = journal;
    this.#isOwn = isOwn;
    this.#gone = gone;
  }

  /** Every own entry, and for each file that cannot be read the error that says why. */
  entries(): { entries: Recorded<E>[]; failures: unknown[] } {
    const entries: Recorded<E>[] = [];
    return { failures: this.each((recorded) => entries.push(recorded)), entries };
  }

  /** Passes every own entry to `take`. Returns the errors of the files that cannot be read. */
  each(take: (recorded: Recorded<E>) => void): unknown[] {
    return this.journal.each((recorded) => {
      if (this.#isOwn(recorded.entry)) take(recorded);
    });
  }

  /**
   * Records the entry, then does the work: all or nothing. If undoing fails too, the entry stays,
   * because it says what is left.
   * @param undo returns its failures
   */
  perform(entry: E, work: () => void, undo: () => readonly unknown[]): void {
    try {
      this.journal.begin(entry);
    } catch (failure) {
      // The error to report is the first one.
      failuresOf([() => this.forget(entry)]);
      throw failure;
    }
    try {
      work();
      this.journal.commit(entry);
    } catch (failure) {
      const failures = undo();
      if (failures.length === 0) this.forget(entry);
      throw withUndoFailures(failure, failures);
    }
  }

  /** Removes the entry, and what a killed ADD may have begun to write of it. */
  forget(entry: Removable): void {
    if (this.journal.remove(entry)) this.#gone(entry.containerId);
  }

  /** Undoes the entry, then removes it. Throws what undoing returns; the entry stays then. */
  undo(entry: E, undoing: () => readonly unknown[]): void {
    throwAll(undoing());
    this.forget(entry);
  }

  /**
   * Removes every entry of the network whose attachment is not among the valid ones. Returns all
   * failures.
   */
  collect(network: string, valid: readonly Attachment[], remove: (entry: E) => void): unknown[] {
    const kept = new Set(valid.map(keyOf));
    const failures: unknown[] = [];
    const unreadable = this.each(({ entry }) => {
      if (entry.network !== network || kept.has(keyOf(entry))) return;
      try {
        remove(entry);
      } catch (failure) {
        failures.push(failure);
      }
    });
    return [...unreadable, ...failures];
  }
}

function keyOf({ containerId, ifname }: Attachment): string {
  return `${containerId}:${ifname}`;
}

/** What CHECK finds if no ADD of the attachment is recorded. */
export function noRecord({ containerId, ifname }: Attachment): Difference {
  return { subject: ifname, fact: `no ADD of container ${containerId} is recorded` };
}

/** What CHECK finds if the ADD of the attachment is pending. */
export function unfinishedAdd({ ifname }: Attachment): Difference {
  return { subject: ifname, fact: "its ADD did not finish" };
}

/** Why an ADD is refused if an earlier one succeeded. */
export function alreadyAttached({ ifname, containerId }: Attachment): string {
  return `${ifname}: container ${containerId} is attached already; call DEL first`;
}
