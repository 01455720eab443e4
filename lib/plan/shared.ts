// Sysctls that several attachments of one pod need: the first one's ADD changes them, the last one's DEL changes them back.
import type { Change, SetSysctl } from "./change.ts";
import type { Entry } from "./journal.ts";
import type { State } from "./state.ts";

/**
 * The changes as they are to be recorded: with what a sysctl was before any attachment of the pod touched it, in place of what it is now. But where somebody else has set it since the
 * attachments did, that is what was there. `siblings` are the entries of the pod's other attachments.
 */
export function withOriginals(changes: readonly Change[], siblings: readonly Entry[]): Change[] {
  return changes.map((change) => {
    if (change.do !== "sysctl") return change;
    const other = holders(change.key, siblings).find(({ to }) => to === change.from);
    return other === undefined ? change : { ...change, from: other.from };
  });
}

/** The recorded changes that may be undone while the siblings stay: all but the sysctls that one of them still needs. */
export function withoutShared(changes: readonly Change[], siblings: readonly Entry[]): Change[] {
  return changes.filter((change) => change.do !== "sysctl" || holders(change.key, siblings).length === 0);
}

/**
 * Those of the siblings that must be recorded anew, because a sysctl that they hold has the value by now that `changes`, as they are recorded, gave it: they must know that it is not
 * somebody else's, and what was there before.
 */
export function outdated(changes: readonly Change[], siblings: readonly Entry[], { sysctls }: State): Entry[] {
  const given = new Map(
    changes.flatMap((change) =>
      change.do === "sysctl" && change.to === sysctls[change.key] ? [[change.key, change] as const] : [],
    ),
  );
  const current = (change: Change): Change => {
    const { from, to } = (change.do === "sysctl" ? given.get(change.key) : undefined) ?? {};
    if (change.do !== "sysctl" || from === undefined || to === undefined) return change;
    return from === change.from && to === change.to ? change : { ...change, from, to };
  };
  return siblings
    .map((entry) => ({ entry, changes: entry.changes.map(current) }))
    .filter(({ entry, changes }) => changes.some((change, position) => change !== entry.changes[position]))
    .map(({ entry, changes }) => ({ ...entry, changes }));
}

function holders(key: string, siblings: readonly Entry[]): SetSysctl[] {
  return siblings.flatMap(({ changes }) =>
    changes.filter((change): change is SetSysctl => change.do === "sysctl" && change.key === key),
  );
}
