// What attachments and allocations have in common: a journal entry for each, written before the
// first change and removed after the last one is undone.
import { throwAll, withUndoFailures } from "../failures.ts";
import type { Difference } from "./differences.ts";
import type { Entry, Journal, Recorded } from "./journal.ts";

/** What a runtime calls an attachment by. */
export interface Attachment {
  readonly containerId: string;
  readonly ifname: string;
}

/** The entries of one plugin in a journal, which another plugin may share. */
export class Ledger<E extends Entry<unknown>> {
  readonly journal: Journal<E>;
  readonly #isOwn: (entry: E) => boolean;
  readonly #nameOf: (entry: E) => string;

  /**
   * @param isOwn whether an entry is of this plugin
   * @param nameOf what the journal calls the entry
   */
  constructor(journal: Journal<E>, isOwn: (entry: E) => boolean, nameOf: (entry: E) => string) {
    this.journal = journal;
    this.#isOwn = isOwn;
    this.#nameOf = nameOf;
  }

  /** Every own entry, and for each file that cannot be read the error that says why. */
  entries(): { entries: Recorded<E>[]; failures: unknown[] } {
    const { entries, failures } = this.journal.list();
    return { entries: entries.filter(({ entry }) => this.#isOwn(entry)), failures };
  }

  /**
   * Records the entry, then does the work: all or nothing. If undoing fails too, the entry stays,
   * because it says what is left.
   * @param undo returns its failures
   */
  perform(entry: E, work: () => void, undo: () => readonly unknown[]): void {
    const name = this.#nameOf(entry);
    this.journal.begin(name, entry);
    try {
      work();
      this.journal.commit(name);
    } catch (failure) {
      const failures = undo();
      if (failures.length === 0) this.forget(entry);
      throw withUndoFailures(failure, failures);
    }
  }

  /** Removes the entry, and what a killed ADD may have begun to write of it. */
  forget(entry: E): void {
    this.journal.discardDraft(entry);
    this.journal.remove(this.#nameOf(entry));
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
    const { entries, failures } = this.entries();
    for (const { entry } of entries) {
      if (entry.network !== network || valid.some((one) => isSameAttachment(one, entry))) continue;
      try {
        remove(entry);
      } catch (failure) {
        failures.push(failure);
      }
    }
    return failures;
  }
}

export function isSameAttachment(one: Attachment, other: Attachment): boolean {
  return one.containerId === other.containerId && one.ifname === other.ifname;
}

/** What CHECK finds if no ADD of the attachment is recorded. */
export function unrecorded({ containerId, ifname }: Attachment): Difference {
  return { subject: ifname, fact: `no ADD of container ${containerId} is recorded` };
}

/** What CHECK finds if the ADD of the attachment is pending. */
export function unfinished({ ifname }: Attachment): Difference {
  return { subject: ifname, fact: "its ADD did not finish" };
}

/** Why an ADD is refused if an earlier one succeeded. */
export function attachedAlready({ ifname, containerId }: Attachment): string {
  return `${ifname}: container ${containerId} is attached already; call DEL first`;
}
