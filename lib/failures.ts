// Several failures of one call, kept together until they become text.

/**
 * How the other failures relate to the first one.
 *
 * - `also`: they are of equal rank, such as those of several attachments.
 * - `undo`: they happened while the first one's changes were undone.
 */
export type Relation = "also" | "undo";

/** At least two failures. The first one is the cause that the caller reports. */
export class Failures extends AggregateError {
  override readonly name = "Failures";
  readonly relation: Relation;

  constructor(errors: readonly unknown[], relation: Relation) {
    super(errors, relation === "also" ? "several failures" : "failed, and so did undoing it");
    this.relation = relation;
  }
}

/** Runs every task, even if others fail. Returns what they threw. */
export function failuresOf(tasks: readonly (() => void)[]): unknown[] {
  const failures: unknown[] = [];
  for (const task of tasks) {
    try {
      task();
    } catch (failure) {
      failures.push(failure);
    }
  }
  return failures;
}

/** One failure that stands for all: the only one itself, or {@link Failures}. */
export function asOne([first, ...others]: readonly [unknown, ...unknown[]]): unknown {
  return others.length === 0 ? first : new Failures([first, ...others], "also");
}

/** Throws the failures as one. Does nothing if there are none. */
export function throwAll(failures: readonly unknown[]): void {
  if (failures.length > 0) throw asOne(failures as readonly [unknown, ...unknown[]]);
}

/** The failure, with those of undoing what had been done before it. */
export function withUndoFailures(failure: unknown, undoing: readonly unknown[]): unknown {
  return undoing.length === 0 ? failure : new Failures([failure, ...undoing], "undo");
}
