// Sysctls that several attachments of one pod need: the first one's ADD changes them, the last
// one's DEL changes them back.
import { type Change, type SetSysctl, sysctlChanges } from "./change.ts";
import type { Entry } from "./journal.ts";
import { byKind, same } from "./kinds.ts";
import type { State } from "./state.ts";

/**
 * The changes as they are to be recorded: with what a sysctl was before any attachment of the pod
 * touched it, in place of what it is now. But where somebody else has set it since the
 * attachments did, that is what was there. `siblings` are the entries of the pod's other
 * attachments.
 */
export function withOriginals(changes: readonly Change[], siblings: readonly Entry[]): Change[] {
  return mapSysctls(changes, (change) => {
    // Of several that left it so the last one knows: before it somebody else may have set it.
    const other = holders(change.key, latestFirst(siblings)).find(({ to }) => to === change.from);
    return other === undefined ? change : { ...change, from: other.from };
  });
}

/**
 * The recorded changes that may be undone while the siblings stay: all but the sysctls that one of
 * them still needs.
 */
export function withoutShared(changes: readonly Change[], siblings: readonly Entry[]): Change[] {
  const isNeeded = ({ key }: SetSysctl): boolean => holders(key, siblings).length > 0;
  return changes.filter((change) => !byKind(change, { create: () => false, set: () => false, sysctl: isNeeded }));
}

/**
 * The changes as CHECK expects them: a sysctl that a sibling has set since is as it ought to be.
 */
export function withShared(changes: readonly Change[], siblings: readonly Entry[], { sysctls }: State): Change[] {
  return mapSysctls(changes, (change) => {
    const other = holders(change.key, siblings).find(({ to }) => to === sysctls[change.key]);
    return other === undefined ? change : { ...change, to: other.to };
  });
}

/**
 * Those of the siblings that must be recorded anew when an entry is forgotten, because a sysctl
 * that they hold still has the value that this one gave it: they must know that it is not
 * somebody else's, and what was there before. A sibling that gave it the same value later knows
 * better.
 */
export function outdated({ changes, time }: Entry, siblings: readonly Entry[], { sysctls }: State): Entry[] {
  const stillSet = sysctlChanges(changes).filter(({ key, to }) => to === sysctls[key]);
  return siblings.flatMap((sibling) => {
    const current = mapSysctls(sibling.changes, (change) => {
      const left = stillSet.find(({ key }) => key === change.key);
      if (left === undefined) return change;
      const isKnown = change.to === left.to && (change.from === left.from || sibling.time > time);
      return isKnown ? change : { ...change, from: left.from, to: left.to };
    });
    return current.some((change, position) => change !== sibling.changes[position])
      ? [{ ...sibling, changes: current }]
      : [];
  });
}

function latestFirst(entries: readonly Entry[]): Entry[] {
  return [...entries].sort((one, other) => other.time - one.time);
}

function holders(key: string, siblings: readonly Entry[]): SetSysctl[] {
  return siblings.flatMap(({ changes }) => sysctlChanges(changes).filter((change) => change.key === key));
}

function mapSysctls(changes: readonly Change[], map: (change: SetSysctl) => SetSysctl): Change[] {
  return changes.map((change) => byKind<Change, Change>(change, { create: same, set: same, sysctl: map }));
}
