// The life of an attachment: planned, recorded, performed, checked, and undone from its record as
// far as it was performed.
import { aged } from "./aging.ts";
import { apply, type Kernel, undo } from "./apply.ts";
import { type Change, expectation, scope, sysctlChanges } from "./change.ts";
import { type Difference, differences } from "./differences.ts";
import { type Attachment, type Entry, type Identity, isSameIdentity, type PodName, type Recorded } from "./entry.ts";
import { differencesIn, type Examined } from "./examined.ts";
import type { Journal } from "./journal.ts";
import { alreadyAttached, Ledger } from "./ledger.ts";
import type { Namespaces } from "./namespaces.ts";
import { settled } from "./settle.ts";
import { withOriginals, withoutShared, withShared } from "./shared.ts";
import { entriesOf, handOver, type Neighbors, type Sibling, siblingsOf } from "./siblings.ts";
import type { State } from "./state.ts";

/** The changes to make, and the state that they were planned for. */
export interface Planned {
  readonly changes: readonly Change[];
  readonly state: State;
}

/** All attachments of one plugin. Several failures are thrown as {@link Failures}. */
export class Attachments<K extends Kernel> {
  readonly #ledger: Ledger<Entry>;
  readonly #journal: Journal;
  readonly #namespaces: Namespaces<K>;
  readonly #neighbors: Neighbors;

  constructor(journal: Journal, namespaces: Namespaces<K>, neighbors: Neighbors) {
    // Another plugin may have records of devices in the same directory.
    this.#ledger = new Ledger(
      journal,
      (entry) => entry.device === undefined,
      (containerId) => neighbors.leave(containerId),
    );
    this.#journal = journal;
    this.#namespaces = namespaces;
    this.#neighbors = neighbors;
  }

  /** Throws if no attachment could be recorded. */
  probe(): void {
    this.#journal.probe();
    this.#neighbors.probe();
  }

  /**
   * Performs the changes that `planning` returns, all or nothing.
   *
   * If an earlier ADD of the same attachment was killed, undoes that first. Throws if an earlier
   * ADD succeeded.
   *
   * @param netns path of the pod's namespace
   * @param entrance leads to the namespace even if another one is at its path by then
   * @param planning is called inside the namespace, and must change nothing
   */
  add<P extends Planned>(
    {
      containerId,
      ifname,
      network,
      pod,
      netns,
      entrance = netns,
    }: Attachment & { network: string; pod?: PodName; netns: string; entrance?: string },
    planning: (kernel: K) => P,
  ): P {
    return this.#namespaces.enter(entrance, (kernel, here) => {
      const earlier = this.#journal.find({ containerId, ifname });
      if (earlier !== undefined) this.#clear(earlier, here, kernel);
      return this.#namespaces.inTurn(() => {
        const planned = settled(planning(kernel));
        const siblings = this.#siblings({ containerId, ifname }, here, planned.changes);
        const entry: Entry = {
          network,
          containerId,
          ifname,
          ...(pod !== undefined && { pod }),
          netns: { path: netns, ...here },
          time: this.#namespaces.time(),
          changes: withOriginals(planned.changes, entriesOf(siblings)),
        };
        if (sysctlChanges(planned.changes).length > 0) this.#neighbors.join(containerId);
        this.#ledger.perform(
          entry,
          () => apply(planned.changes, kernel, planned.state),
          () => undo(planned.changes, kernel),
        );
        return planned;
      });
    });
  }

  /**
   * Undoes the attachment as far as it was performed. Does nothing without a record. `netns` may
   * lead nowhere.
   */
  remove(attachment: Attachment, netns: string | undefined): void {
    if (netns !== undefined && this.#namespaces.identify(netns) !== undefined)
      return this.#namespaces.enter(netns, (kernel, here) => {
        const recorded = this.#journal.find(attachment);
        if (recorded === undefined) this.#ledger.forget(attachment);
        else if (isSameIdentity(recorded.entry.netns, here)) this.#undo(recorded.entry, kernel);
        else this.#undoElsewhere(recorded.entry, here);
      });
    const recorded = this.#journal.find(attachment);
    if (recorded === undefined) this.#ledger.forget(attachment);
    else this.#undoElsewhere(recorded.entry);
  }

  /** Whether an attachment was added to a namespace whose path begins so. */
  hasPathBelow(directory: string): boolean {
    let found = false;
    this.#ledger.each(({ entry }) => {
      found ||= entry.netns.path.startsWith(`${directory}/`);
    });
    return found;
  }

  /** Returns every record, and the error of each file that cannot be read. */
  records(): { entries: Recorded[]; failures: unknown[] } {
    return this.#ledger.entries();
  }

  /**
   * Returns each difference between the attachment's changes and the current state. An attachment
   * that cannot be compared is one difference.
   *
   * @param compare is called inside the namespace with the expected changes, and must change
   *   nothing
   */
  differences(
    attachment: Attachment,
    netns: string,
    compare: (kernel: K, due: readonly Change[]) => Difference[] = compareWithPlan,
  ): Difference[] {
    return differencesIn(this.examine(attachment, netns, compare), attachment, netns);
  }

  /** The same, for a caller that must know why nothing was compared. */
  examine(
    attachment: Attachment,
    netns: string,
    compare: (kernel: K, due: readonly Change[]) => Difference[] = compareWithPlan,
  ): Examined {
    return this.#namespaces.enter(netns, (kernel, here) => {
      const recorded = this.#journal.find(attachment);
      if (recorded === undefined) return { is: "unrecorded" };
      if (recorded.pending) return { is: "pending" };
      const { changes, netns: there } = recorded.entry;
      if (!isSameIdentity(there, here)) return { is: "elsewhere", path: there.path };
      const siblings = entriesOf(this.#siblings(attachment, here, changes));
      const due =
        siblings.length === 0
          ? changes
          : withShared(changes, siblings, kernel.observe({ ...scope(changes), links: false }));
      return { is: "compared", differences: compare(kernel, due) };
    });
  }

  /**
   * Returns what `add` would do: the changes as `add` would record them, and whether a killed ADD
   * left something that `add` would undo first.
   *
   * Throws if the attachment exists.
   */
  preview<P extends Planned>(
    { containerId, ifname, netns }: Attachment & { readonly netns: string },
    planning: (kernel: K) => P,
  ): { planned: P; changes: Change[]; leftover: boolean } {
    return this.#namespaces.enter(netns, (kernel, here) => {
      const earlier = this.#journal.find({ containerId, ifname });
      const leftover = earlier !== undefined && isSameIdentity(earlier.entry.netns, here);
      if (leftover && !earlier.pending) throw new Error(alreadyAttached(earlier.entry));
      const planned = settled(planning(kernel));
      return {
        planned,
        changes: withOriginals(
          planned.changes,
          entriesOf(this.#siblings({ containerId, ifname }, here, planned.changes)),
        ),
        leftover,
      };
    });
  }

  /**
   * Removes the record of an attachment whose namespace no longer exists. Returns false if another
   * ADD has replaced the record.
   */
  forget(entry: Entry): boolean {
    // An ADD with the same names in a new namespace may be about to write its record.
    return this.#namespaces.inTurn(() => {
      const recorded = this.#journal.find(entry);
      if (
        recorded === undefined ||
        recorded.entry.time !== entry.time ||
        !isSameIdentity(recorded.entry.netns, entry.netns)
      )
        return false;
      this.#ledger.forget(entry);
      return true;
    });
  }

  /**
   * Undoes every attachment of the network that is not among the valid ones. Continues after
   * failures, and returns all of them.
   */
  collect(network: string, valid: readonly Attachment[]): unknown[] {
    return this.#ledger.collect(network, valid, (entry) => this.#undoElsewhere(entry));
  }

  /** Undoes what an earlier ADD of the same attachment left. Throws if it succeeded. */
  #clear({ entry, pending }: Recorded, here: Identity, kernel: Kernel): void {
    if (!isSameIdentity(entry.netns, here)) this.#undoElsewhere(entry, here);
    else if (pending) this.#undo(entry, kernel);
    else throw new Error(alreadyAttached(entry));
  }

  /**
   * Undoes an attachment in the namespace at its recorded path. If another namespace is there, or
   * none, only the record is left to remove.
   *
   * @param inside the namespace that the caller has entered, which must not be entered again
   */
  #undoElsewhere(entry: Entry, inside?: Identity): void {
    const { path } = entry.netns;
    const there = this.#namespaces.identify(path);
    if (
      there === undefined ||
      !isSameIdentity(entry.netns, there) ||
      (inside !== undefined && isSameIdentity(inside, there))
    ) {
      this.forget(entry);
      return;
    }
    this.#namespaces.enter(path, (kernel, here) => {
      const recorded = this.#journal.find(entry);
      if (!isSameIdentity(entry.netns, here)) this.forget(entry);
      else if (recorded !== undefined) this.#undo(recorded.entry, kernel);
    });
  }

  #siblings(attachment: Attachment, here: Identity, changes: readonly Change[]): Sibling[] {
    return siblingsOf(attachment, { journal: this.#journal, neighbors: this.#neighbors }, here, changes);
  }

  #undo(entry: Entry, kernel: Kernel): void {
    const siblings = this.#siblings(entry, entry.netns, entry.changes);
    handOver(entry, siblings, kernel);
    const seconds = (this.#namespaces.time() - entry.time) / 1000;
    const changes = withoutShared(entry.changes, entriesOf(siblings));
    this.#ledger.undo(entry, () => undo(aged(changes, seconds), kernel));
  }
}

function compareWithPlan(kernel: Kernel, due: readonly Change[]): Difference[] {
  return differences(expectation(due), kernel.observe(scope(due)));
}
