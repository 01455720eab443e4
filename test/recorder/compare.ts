// Compares records of several runs of the same tests.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The calls of one test file that differ. */
export interface Difference {
  readonly file: string;
  /** Answers that all earlier records hold and the later one does not. */
  readonly missing: readonly string[];
  /** Calls of the later record that no earlier record holds. */
  readonly added: readonly string[];
}

/**
 * Returns the calls that are new in `after`, and those that no longer occur.
 *
 * Several earlier records may be given, because a few calls depend on time: whether the kernel has
 * assigned the link-local address yet, or which of two concurrent calls is first.
 *
 * - A call is new only if none of the earlier records holds it.
 * - A call is missing only if all earlier records hold its question and answer, and `after` does
 *   not.
 *
 * The number and the order of calls do not matter.
 */
export function compare(after: string, before: readonly string[]): Difference[] {
  const files = new Set([after, ...before].flatMap(filesIn));
  return [...files].sort().flatMap((file) => {
    const current = linesOf(after, file);
    const earlier = before.map((directory) => linesOf(directory, file));
    const asked = new Set(earlier.flatMap((lines) => [...lines].map(questionOf)));
    const added = [...current].filter(
      (line) => asked.has(questionOf(line)) && !earlier.some((lines) => lines.has(line)),
    );
    const questions = new Set([...current].map(questionOf));
    const answers = new Set([...current].map(answerOf));
    const earlierAnswers = earlier.map((lines) => new Set([...lines].map(answerOf)));
    const missing = [...(earlierAnswers[0] ?? [])].filter(
      (answer) =>
        questions.has(questionOf(answer)) && !answers.has(answer) && earlierAnswers.every((all) => all.has(answer)),
    );
    return added.length + missing.length === 0 ? [] : [{ file, missing, added }];
  });
}

/**
 * Returns a call's question. Some tests draw their calls at random, so that only a question in both
 * records can be compared.
 */
function questionOf(line: string): string {
  return JSON.stringify((JSON.parse(line) as { call: unknown }).call);
}

/** Returns a call's question and answer, without its effects. */
function answerOf(line: string): string {
  const { effects: _, ...rest } = JSON.parse(line) as { effects?: unknown };
  return JSON.stringify(rest);
}

function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".jsonl"));
}

function linesOf(directory: string, file: string): Set<string> {
  try {
    return new Set(readFileSync(join(directory, file), "utf8").split("\n").filter(Boolean));
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === "ENOENT") return new Set();
    throw failure;
  }
}
