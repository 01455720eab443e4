// The life of an attachment: planned, written down, performed; checked; undone from what was
// written down, however far it came.
import { FactError } from "../fact.ts";
import { aged } from "./aging.ts";
import { apply, type Kernel, undo } from "./apply.ts";
import { type Change, expectation, scope, sysctlChanges } from "./change.ts";
import { type Difference, differences } from "./differences.ts";
import { type Attachment, type Entry, type Identity, isSameIdentity, type PodName, type Recorded } from "./entry.ts";
import type { Journal } from "./journal.ts";
import { attachedAlready, Ledger, unfinished, unrecorded } from "./ledger.ts";
import { outdated, withOriginals, withoutShared, withShared } from "./shared.ts";
import type { State } from "./state.ts";

/** The way into network namespaces. */
export interface Namespaces<K extends Kernel> {
  /** Which namespace is at the path, without its cookie; undefined if none is there any more. */
  identify(path: string): Identity | undefined;
  /** Calls back inside the namespace, while no other call of these plugins is inside. */
  enter<T>(path: string, work: (kernel: K, here: Identity) => T): T;
  /**
   * Calls back while no other call of these plugins takes its turn, or after a short wait. Parallel
   * calls are correct, but they wait for each other in the kernel by spinning.
   */
  inTurn<T>(work: () => T): T;
  /** Milliseconds of CLOCK_MONOTONIC. */
  time(): number;
}

/** The plugins that change sysctls in the same pod. */
export interface Neighbors {
  /** Throws if no container could join. */
  probe(): void;
  /** Makes this plugin's journal known to the container's other plugins. */
  join(containerId: string): void;
  /** Reverts {@link join}. */
  leave(containerId: string): void;
  /**
   * Returns the journals of the container's other plugins. The first time, makes the records of
   * version 0.1.0 known to this plugin's journal.
   */
  others(containerId: string): readonly Journal[];
}

/** The changes to make, and the state that they were planned for. */
export interface Planned {
  readonly changes: readonly Change[];
  readonly state: State;
}

/**
 * What became of a comparison. `elsewhere`: the record is of the namespace that was at `path`,
 * another one.
 */
export type Examined =
  | { readonly is: "compared"; readonly differences: Difference[] }
  | { readonly is: "unrecorded" }
  | { readonly is: "pending" }
  | { readonly is: "elsewhere"; readonly path: string };

/**
 * All attachments of one plugin. Failures are thrown as they are, several of them as {@link
 * Failures}.
 */
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

  /** Throws where no attachment could be recorded. */
  probe(): void {
    this.#journal.probe();
    this.#neighbors.probe();
  }

  /**
   * Performs what `planning` plans, all or nothing. What an earlier ADD of the same attachment left
   * behind when it was killed is undone first; one that succeeded is in the way.
   * @param netns path of the pod's namespace; `entrance` leads to it whatever becomes of that path
   * @param planning sees the namespace; it must change nothing
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
        const planned = planning(kernel);
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
   * Undoes the attachment as far as it was made. Without a record there is nothing to undo. `netns`
   * may be gone, or unknown.
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

  /** Every record, and for each file that cannot be read the error that says why. */
  records(): { entries: Recorded[]; failures: unknown[] } {
    return this.#ledger.entries();
  }

  /**
   * Names each difference between what the attachment made and what is there. Throws where nothing
   * can be compared.
   * @param compare is given the changes as they ought to show, in the namespace; it must change
   *   nothing
   */
  differences(
    attachment: Attachment,
    netns: string,
    compare: (kernel: K, due: readonly Change[]) => Difference[] = compareWithPlan,
  ): Difference[] {
    const examined = this.examine(attachment, netns, compare);
    switch (examined.is) {
      case "compared":
        return examined.differences;
      case "unrecorded":
        return [unrecorded(attachment)];
      case "pending":
        return [unfinished(attachment)];
      case "elsewhere":
        return [{ subject: netns, fact: `is another namespace than the one at ${examined.path} that ADD prepared` }];
    }
  }

  /** The same, for a caller that asks whether there was anything to compare. */
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
   * What `add` would do, which is not done: the changes as they would be recorded, and what an
   * earlier ADD left that was killed, which `add` would undo first.
   * Throws what `planning` throws, and where the attachment is there already.
   */
  preview<P extends Planned>(
    { containerId, ifname, netns }: Attachment & { readonly netns: string },
    planning: (kernel: K) => P,
  ): { planned: P; changes: Change[]; leftover: boolean } {
    return this.#namespaces.enter(netns, (kernel, here) => {
      const earlier = this.#journal.find({ containerId, ifname });
      const leftover = earlier !== undefined && isSameIdentity(earlier.entry.netns, here);
      if (leftover && !earlier.pending) throw new Error(attachedAlready(earlier.entry));
      const planned = planning(kernel);
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
   * Forgets an attachment whose namespace is known to be gone, with all that the record describes.
   * False where the record is another one by now.
   */
  forget(entry: Entry): boolean {
    // An ADD with the same names in a new namespace may be about to write its own.
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
   * Undoes every attachment of the network that is not among the valid ones. Goes on past failures,
   * and gives them all.
   */
  collect(network: string, valid: readonly Attachment[]): unknown[] {
    return this.#ledger.collect(network, valid, (entry) => this.#undoElsewhere(entry));
  }

  /** Makes room for an ADD. */
  #clear({ entry, pending }: Recorded, here: Identity, kernel: Kernel): void {
    if (!isSameIdentity(entry.netns, here)) this.#undoElsewhere(entry, here);
    else if (pending) this.#undo(entry, kernel);
    else throw new Error(attachedAlready(entry));
  }

  /**
   * Writes what the entry knows about shared sysctls to the records of its siblings, before the
   * entry is removed.
   */
  #handOver(entry: Entry, siblings: readonly Sibling[], kernel: Kernel): void {
    if (siblings.length === 0) return;
    const state = kernel.observe({ ...scope(entry.changes), links: false });
    for (const sibling of siblings)
      for (const changed of outdated(entry, [sibling.entry], state)) sibling.journal.rewrite(changed);
  }

  /**
   * Undoes an attachment whose namespace is the one at the path that it was added with, if it is
   * still there. If not, what the entry describes went with it.
   * `inside` is the namespace, another one, that the caller has entered: it must not be entered
   * again.
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

  #undo(entry: Entry, kernel: Kernel): void {
    const siblings = this.#siblings(entry, entry.netns, entry.changes);
    this.#handOver(entry, siblings, kernel);
    const seconds = (this.#namespaces.time() - entry.time) / 1000;
    const changes = withoutShared(entry.changes, entriesOf(siblings));
    this.#ledger.undo(entry, () => undo(aged(changes, seconds), kernel));
  }

  /**
   * Returns the container's other attachments in the same namespace, of every plugin. Empty if the
   * changes contain no sysctl: nothing else is shared.
   */
  #siblings(attachment: Attachment, here: Identity, changes: readonly Change[]): Sibling[] {
    if (sysctlChanges(changes).length === 0) return [];
    const { containerId } = attachment;
    // First: it makes records known.
    const others = this.#neighbors.others(containerId);
    const found = [
      ...this.#journal.siblings(attachment).map(({ entry }) => ({ entry, journal: this.#journal })),
      // A chain may call several plugins for one interface.
      ...others.flatMap((journal) => siblingsIn(journal, containerId).map(({ entry }) => ({ entry, journal }))),
    ];
    return found.filter(({ entry }) => isSameIdentity(entry.netns, here));
  }
}

/** Another attachment of the same pod, and the journal that holds its record. */
interface Sibling {
  readonly entry: Entry;
  readonly journal: Journal;
}

/** A journal that cannot be trusted affects its own plugin's attachments only. */
function siblingsIn(journal: Journal, containerId: string): Recorded[] {
  try {
    return journal.siblings({ containerId });
  } catch (failure) {
    if (failure instanceof FactError) return [];
    throw failure;
  }
}

function entriesOf(siblings: readonly Sibling[]): Entry[] {
  return siblings.map(({ entry }) => entry);
}

function compareWithPlan(kernel: Kernel, due: readonly Change[]): Difference[] {
  return differences(expectation(due), kernel.observe(scope(due)));
}
