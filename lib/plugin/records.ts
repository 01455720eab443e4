// What the verbs for people do with a plugin's records, whatever they are of: each is examined, or
// removed where its namespace is gone.
import { code } from "../cni/errors.ts";
import { explainFailure, inOneLine } from "../cni/failure.ts";
import { identifyNetns, type NetnsLocation, netnsFinder } from "../kernel/find-netns.ts";
import { type Entry, isSameIdentity, type Recorded } from "../plan/entry.ts";
import { ForeignDirectory } from "../trusted-directory.ts";
import type {
  Checked,
  Collected,
  Collection,
  Condition,
  Inspection,
  Problem,
  RecordedAttachment,
  Selection,
} from "./operator.ts";

/** One kind of records. */
export interface RecordKeeper<E extends Entry<unknown>> {
  /** The plugin's name. */
  readonly name: string;
  records(): { readonly entries: readonly Recorded<E>[]; readonly failures: readonly unknown[] };
  /**
   * Compares a record with what is there. `path` leads to its namespace. Undefined where the record
   * is gone by now, or another one.
   */
  examine(entry: E, path: string): readonly Problem[] | "interrupted" | undefined;
  /**
   * Removes what belongs to a record whose namespace is gone. False where the record was gone by
   * then, or another one.
   */
  remove(entry: E): boolean;
  /** What `remove` does, such as `gives 0000:3b:02.6 back`. */
  removal(entry: E): { readonly done: string; readonly due: string };
  /** The device of a record that has one. */
  deviceOf?(entry: E): string;
}

/**
 * Compares each selected attachment with its record. Throws if the directory of the records cannot
 * be read.
 */
export function checkRecords<E extends Entry<unknown>>(keeper: RecordKeeper<E>, only?: Selection): Inspection {
  const { entries, failures } = keeper.records();
  const locate = netnsFinder();
  const isSelected = matcherOf(only);
  return {
    attachments: entries
      .filter(({ entry }) => isSelected(entry))
      .flatMap(({ entry }) => {
        const examined = examination(keeper, entry, locate(entry.netns));
        return examined === undefined ? [] : [{ ...subjectOf(keeper, entry), ...examined }];
      }),
    unreadable: unreadable(failures),
  };
}

/**
 * Removes what belongs to attachments whose namespace is gone, or says what would be removed.
 * Throws where the records' directory cannot be read.
 */
export function collectRecords<E extends Entry<unknown>>(keeper: RecordKeeper<E>, dryRun: boolean): Collection {
  const { entries, failures } = keeper.records();
  const locate = netnsFinder();
  return {
    attachments: entries.map(({ entry }) => ({
      ...subjectOf(keeper, entry),
      ...collection(keeper, entry, { where: locate(entry.netns), dryRun }),
    })),
    unreadable: unreadable(failures),
  };
}

function examination<E extends Entry<unknown>>(
  keeper: RecordKeeper<E>,
  entry: E,
  where: NetnsLocation,
): Pick<Checked, "condition" | "findings"> | undefined {
  if (where.is === "unclear") return found("unclear", { fact: where.why });
  if (where.is === "gone")
    return found("vanished", {
      fact: `its namespace ${entry.netns.path} no longer exists, and DEL was not called`,
      hint: `${keeper.name} gc  # ${keeper.removal(entry).due}`,
    });
  try {
    const findings = keeper.examine(entry, where.path);
    if (findings === undefined) return undefined;
    if (findings === "interrupted")
      return found("interrupted", {
        fact: "ADD was killed before it finished",
        hint: "the next ADD or DEL of it puts everything back; kubelet calls one by itself, unless the pod runs without it: then delete the pod",
      });
    return { condition: findings.length === 0 ? "healthy" : "differs", findings };
  } catch (failure) {
    if (isBusy(failure)) return found("busy", { fact: "another call holds the lock", hint: "retry in a few seconds" });
    return found("unclear", { fact: inOneLine(failure) });
  }
}

function found(condition: Condition, finding: Problem): Pick<Checked, "condition" | "findings"> {
  return { condition, findings: [finding] };
}

function collection<E extends Entry<unknown>>(
  keeper: RecordKeeper<E>,
  entry: E,
  { where, dryRun }: { readonly where: NetnsLocation; readonly dryRun: boolean },
): Pick<Collected, "outcome" | "why" | "hint"> {
  if (where.is === "there")
    return {
      outcome: "alive",
      why: where.moved ? `its namespace is still there, at ${where.path}` : "its namespace is still there",
    };
  if (where.is === "unclear")
    return { outcome: "left", why: `cannot tell whether its namespace still exists: ${where.why}` };
  const { done, due } = keeper.removal(entry);
  if (dryRun) return { outcome: "removable", why: `its namespace no longer exists: gc ${due}` };
  try {
    return keeper.remove(entry)
      ? { outcome: "removed", why: `its namespace no longer exists: ${done}` }
      : { outcome: "alive", why: "its record was removed meanwhile, or is a new one's" };
  } catch (failure) {
    return {
      outcome: "failed",
      why: inOneLine(failure),
      hint: isBusy(failure) ? "call gc again" : "put that right, then call gc again; the record stays until then",
    };
  }
}

function isBusy(failure: unknown): boolean {
  return explainFailure(failure).code === code.tryAgain;
}

/**
 * Records that cannot be read; of a directory that is not what it should be, each file says the
 * same.
 */
function unreadable(failures: readonly unknown[]): Problem[] {
  const byText = new Map(failures.map((failure) => [explainFailure(failure).msg, failure]));
  return [...byText].map(([fact, failure]) => ({
    fact,
    hint:
      failure instanceof ForeignDirectory
        ? "records must be writable by root only: find out who changed the directory, then chown it to root and chmod it to 700"
        : "a DEL that needs it fails: delete the pod, then move the file away, and the next DEL succeeds, since links and sysctls go with the namespace; a VF that it is about has to be given back by hand (docs/upgrading.md)",
  }));
}

function matcherOf(only: Selection | undefined): (entry: Entry<unknown>) => boolean {
  if (only === undefined) return () => true;
  if ("containerId" in only) return ({ containerId }) => containerId.startsWith(only.containerId);
  const identity = identifyNetns(only.netns);
  return ({ netns }) => isSameIdentity(netns, identity);
}

function subjectOf<E extends Entry<unknown>>(keeper: RecordKeeper<E>, entry: E): RecordedAttachment {
  const { network, containerId, ifname, netns } = entry;
  const device = keeper.deviceOf?.(entry);
  return { network, containerId, ifname, netns: netns.path, ...(device !== undefined && { device }) };
}
