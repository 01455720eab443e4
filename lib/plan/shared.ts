// Sysctls that several attachments of one pod need: the ADD of the first one changes them, the DEL
// of the last one reverts them.
import { type Change, type SetSysctl, sysctlChanges } from "./change.ts";
import type { Entry } from "./entry.ts";
import { byKind, same } from "./kinds.ts";
import type { State } from "./state.ts";

/**
 * Returns the changes to record.
 *
 * For a sysctl that another attachment of the pod changed, `from` is the value before that change.
 * If another process has changed the sysctl after that, `from` is the current value. `siblings` are
 * the records of the pod's other attachments.
 */
export function withOriginals(changes: readonly Change[], siblings: readonly Entry[]): Change[] {
  return mapSysctls(changes, (change) => {
    // If several attachments set this value, the latest one knows: another process may have changed
    // it before that.
    const other = holders(change.key, latestFirst(siblings)).find(({ to }) => to === change.from);
    return other === undefined ? change : { ...change, from: other.from };
  });
}

/**
 * Returns the changes that may be undone while the siblings stay: all except the sysctls that one
 * of them needs.
 */
export function withoutShared(changes: readonly Change[], siblings: readonly Entry[]): Change[] {
  const isNeeded = ({ key }: SetSysctl): boolean => holders(key, siblings).length > 0;
  return changes.filter((change) => !byKind(change, { create: () => false, set: () => false, sysctl: isNeeded }));
}

/** Returns the changes that CHECK expects: the value that a sibling set later is correct. */
export function withShared(changes: readonly Change[], siblings: readonly Entry[], { sysctls }: State): Change[] {
  return mapSysctls(changes, (change) => {
    const other = holders(change.key, siblings).find(({ to }) => to === sysctls[change.key]);
    return other === undefined ? change : { ...change, to: other.to };
  });
}

/**
 * Returns the siblings to record again before an entry is removed.
 *
 * They hold a sysctl that still has the value of this entry. Their records must contain that value,
 * and the value from before this entry. A sibling that set the same value later keeps its record.
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
