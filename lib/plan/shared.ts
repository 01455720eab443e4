// Sysctls that several attachments of one pod need: the first one's ADD changes them, the last one's DEL changes them back.
import type { Change, SetSysctl } from "./change.ts";
import type { Entry } from "./journal.ts";

/**
 * The changes with what a sysctl was before any attachment touched it, as the pod's other attachments have recorded it, in place of what it is now.
 * `siblings` are the other entries of the same namespace.
 */
export function withOriginals(changes: readonly Change[], siblings: readonly Entry[]): Change[] {
  return changes.map((change) => {
    const other = change.do === "sysctl" ? holder(change.key, siblings) : undefined;
    return change.do === "sysctl" && other !== undefined && other.to === change.to
      ? { ...change, from: other.from }
      : change;
  });
}

/** The changes that may be undone while the siblings stay: all but the sysctls that one of them still needs. */
export function withoutShared(changes: readonly Change[], siblings: readonly Entry[]): Change[] {
  return changes.filter((change) => change.do !== "sysctl" || holder(change.key, siblings) === undefined);
}

function holder(key: string, siblings: readonly Entry[]): SetSysctl | undefined {
  for (const { changes } of siblings)
    for (const change of changes) if (change.do === "sysctl" && change.key === key) return change;
  return undefined;
}
