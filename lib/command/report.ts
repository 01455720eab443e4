// Prints a report: a line for each item, and below it what is wrong with the item and what to do.
import type { Problem } from "../plugin/operator.ts";
import { printable } from "../printable.ts";
import type { Paint } from "./paint.ts";

/** The first word of a line: `ok`, `note`, or the kind of problem. */
export type Grade = "good" | "doubtful" | "bad";

/** One line of the report. */
export interface Item {
  readonly grade: Grade;
  /** Such as `ok` or `differs`. */
  readonly word: string;
  readonly text: string;
  readonly findings?: readonly Problem[];
}

/**
 * Returns the lines of all items. The column of the first word is as wide as the longest one:
 * `differs  net1 of container 0a1b (network blue)`.
 */
export function lines(items: readonly Item[], paint: Paint): string[] {
  const width = Math.max(0, ...items.map(({ word }) => word.length));
  return items.flatMap(({ grade, word, text, findings = [] }) => {
    const indent = " ".repeat(width + 2);
    return [
      `${paint[grade](word.padEnd(width))}  ${printable(text)}`,
      ...findings.flatMap(({ fact, hint }, position) => [
        `${indent}${printable(fact)}`,
        // The same advice for several facts in a row is printed once.
        ...(hint === undefined || hint === findings[position + 1]?.hint
          ? []
          : [`${indent}${paint.faint("do:")} ${printable(hint)}`]),
      ]),
    ];
  });
}

/** `1 attachment`, `2 attachments`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
