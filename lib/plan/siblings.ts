// The other attachments of a container, of every plugin: they may need the same sysctls.
import { FactError } from "../fact.ts";
import type { Kernel } from "./apply.ts";
import { type Change, scope, sysctlChanges } from "./change.ts";
import { type Attachment, type Entry, type Identity, isSameIdentity, type Recorded } from "./entry.ts";
import type { Journal } from "./journal.ts";
import { outdated } from "./shared.ts";

/** The plugins that change sysctls in the same pod. */
export interface Neighbors {
  /** Throws if no container could join. */
  probe(): void;
  /** Makes this plugin's journal known to the container's other plugins. */
  join(containerId: string): void;
  /** Reverts {@link join}. */
  leave(containerId: string): void;
  /**
   * Returns the journals of the container's other plugins. The first call on a node makes the
   * records of version 0.1.0 known to this plugin's journal.
   */
  others(containerId: string): readonly Journal[];
}

/** Another attachment of the same container, and the journal that holds its record. */
export interface Sibling {
  readonly entry: Entry;
  readonly journal: Journal;
}

/**
 * Returns the container's other attachments in the namespace `here`. Empty if the changes contain
 * no sysctl: nothing else is shared.
 */
export function siblingsOf(
  attachment: Attachment,
  { journal, neighbors }: { readonly journal: Journal; readonly neighbors: Neighbors },
  here: Identity,
  changes: readonly Change[],
): Sibling[] {
  if (sysctlChanges(changes).length === 0) return [];
  const { containerId } = attachment;
  // First: it makes records known.
  const others = neighbors.others(containerId);
  const found = [
    ...journal.siblings(attachment).map(({ entry }) => ({ entry, journal })),
    // A chain may call several plugins for one interface.
    ...others.flatMap((other) => recordsIn(other, containerId).map(({ entry }) => ({ entry, journal: other }))),
  ];
  return found.filter(({ entry }) => isSameIdentity(entry.netns, here));
}

/**
 * Writes what the entry knows about shared sysctls to the records of its siblings. Call it before
 * the entry is removed.
 */
export function handOver(entry: Entry, siblings: readonly Sibling[], kernel: Kernel): void {
  if (siblings.length === 0) return;
  const state = kernel.observe({ ...scope(entry.changes), links: false });
  for (const { entry: sibling, journal } of siblings)
    for (const changed of outdated(entry, [sibling], state)) journal.rewrite(changed);
}

export function entriesOf(siblings: readonly Sibling[]): Entry[] {
  return siblings.map(({ entry }) => entry);
}

/** A journal that cannot be trusted affects the attachments of its own plugin only. */
function recordsIn(journal: Journal, containerId: string): Recorded[] {
  try {
    return journal.siblings({ containerId });
  } catch (failure) {
    if (failure instanceof FactError) return [];
    throw failure;
  }
}
