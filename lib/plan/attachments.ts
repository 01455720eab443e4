// The life of an attachment: planned, written down, performed; checked; undone from what was
// written down, however far it came.
import { aged } from "./aging.ts";
import { apply, type Kernel, undo } from "./apply.ts";
import { type Change, expectation, scope } from "./change.ts";
import { type Difference, differences } from "./differences.ts";
import { attachmentName, type Entry, type Identity, isSameNetns, type Journal, type Recorded } from "./journal.ts";
import { type Attachment, attachedAlready, isSameAttachment, Ledger, unfinished, unrecorded } from "./ledger.ts";
import { outdated, withOriginals, withoutShared, withShared } from "./shared.ts";
import type { State } from "./state.ts";

/** The way into network namespaces. */
export interface Namespaces<K extends Kernel> {
  /** Which namespace is at the path, without its cookie; undefined if none is there any more. */
  identify(path: string): Identity | undefined;
  /** Calls back inside the namespace, while no other call of these plugins is inside. */
  enter<T>(path: string, work: (kernel: K, here: Identity) => T): T;
  /**
   * Calls back while no other call that was given the directory is at this, or after a while all
   * the same: calls that run side by side are right, but wait for each other in the kernel by
   * using up the CPU.
   */
  inTurn<T>(directory: string, work: () => T): T;
  /** Milliseconds of CLOCK_MONOTONIC. */
  time(): number;
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

  constructor(journal: Journal, namespaces: Namespaces<K>) {
    // Another plugin may have records of devices in the same directory.
    this.#ledger = new Ledger(journal, (entry) => !("device" in entry), attachmentName);
    this.#journal = journal;
    this.#namespaces = namespaces;
  }

  /** Throws where no attachment could be recorded. */
  probe(): void {
    this.#journal.probe();
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
      netns,
      entrance = netns,
    }: Attachment & { network: string; netns: string; entrance?: string },
    planning: (kernel: K) => P,
  ): P {
    return this.#namespaces.enter(entrance, (kernel, here) => {
      const earlier = this.#journal.find(attachmentName({ containerId, ifname }));
      if (earlier !== undefined) this.#clear(earlier, here, kernel);
      return this.#namespaces.inTurn(this.#journal.directory, () => {
        const planned = planning(kernel);
        const siblings = this.#siblings({ containerId, ifname }, here);
        const changes = withOriginals(planned.changes, siblings);
        const time = this.#namespaces.time();
        const entry: Entry = { network, containerId, ifname, netns: { path: netns, ...here }, time, changes };
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
        const recorded = this.#journal.find(attachmentName(attachment));
        if (recorded === undefined) this.#forget(attachment);
        else if (isSameNetns(recorded.entry.netns, here)) this.#undo(recorded.entry, kernel);
        else this.#undoElsewhere(recorded.entry, here);
      });
    const recorded = this.#journal.find(attachmentName(attachment));
    if (recorded === undefined) this.#forget(attachment);
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
      const recorded = this.#journal.find(attachmentName(attachment));
      if (recorded === undefined) return { is: "unrecorded" };
      if (recorded.pending) return { is: "pending" };
      const { changes, netns: there } = recorded.entry;
      if (!isSameNetns(there, here)) return { is: "elsewhere", path: there.path };
      const siblings = this.#siblings(attachment, here);
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
      const earlier = this.#journal.find(attachmentName({ containerId, ifname }));
      const leftover = earlier !== undefined && isSameNetns(earlier.entry.netns, here);
      if (leftover && !earlier.pending) throw new Error(attachedAlready(earlier.entry));
      const planned = planning(kernel);
      return {
        planned,
        changes: withOriginals(planned.changes, this.#siblings({ containerId, ifname }, here)),
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
    return this.#namespaces.inTurn(this.#journal.directory, () => {
      const recorded = this.#journal.find(attachmentName(entry));
      if (
        recorded === undefined ||
        recorded.entry.time !== entry.time ||
        !isSameNetns(recorded.entry.netns, entry.netns)
      )
        return false;
      this.#forget(entry);
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
    if (!isSameNetns(entry.netns, here)) this.#undoElsewhere(entry, here);
    else if (pending) this.#undo(entry, kernel);
    else throw new Error(attachedAlready(entry));
  }

  #forget(attachment: Attachment): void {
    this.#journal.discardDraft(attachment);
    this.#journal.remove(attachmentName(attachment));
  }

  /**
   * Hands what the entry knows about sysctls that siblings hold as well to their records, before it
   * is forgotten.
   */
  #bequeath(entry: Entry, siblings: readonly Entry[], kernel: Kernel): void {
    if (siblings.length === 0) return;
    for (const sibling of outdated(entry, siblings, kernel.observe({ ...scope(entry.changes), links: false })))
      this.#journal.rewrite(attachmentName(sibling), sibling);
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
      !isSameNetns(entry.netns, there) ||
      (inside !== undefined && isSameNetns(inside, there))
    ) {
      this.forget(entry);
      return;
    }
    this.#namespaces.enter(path, (kernel, here) => {
      const recorded = this.#journal.find(attachmentName(entry));
      if (!isSameNetns(entry.netns, here)) this.forget(entry);
      else if (recorded !== undefined) this.#undo(recorded.entry, kernel);
    });
  }

  #undo(entry: Entry, kernel: Kernel): void {
    const siblings = this.#siblings(entry, entry.netns);
    this.#bequeath(entry, siblings, kernel);
    const seconds = (this.#namespaces.time() - entry.time) / 1000;
    this.#ledger.undo(entry, () => undo(aged(withoutShared(entry.changes, siblings), seconds), kernel));
  }

  /** The container's other attachments in the same namespace. */
  #siblings(attachment: Attachment, here: Identity): Entry[] {
    return this.#journal
      .beginning(`${attachment.containerId}:`)
      .map(({ entry }) => entry)
      .filter((entry) => !isSameAttachment(entry, attachment) && isSameNetns(entry.netns, here));
  }
}

function compareWithPlan(kernel: Kernel, due: readonly Change[]): Difference[] {
  return differences(expectation(due), kernel.observe(scope(due)));
}
