// How findings are printed: a line for each thing that was looked at, and below it what is wrong
// with it and what to do.
import type { Problem } from "../plugin/operator.ts";
import type { Paint } from "./paint.ts";
import { printable } from "./paint.ts";

/** How a line begins: `ok`, `note` and what is wrong in a word. */
export type Grade = "good" | "doubtful" | "bad";

/** One thing that was looked at. */
export interface Item {
  readonly grade: Grade;
  /** Such as `ok` or `differs`. */
  readonly word: string;
  readonly text: string;
  readonly findings?: readonly Problem[];
}

/**
 * The lines of an item, the words in a column as wide as the longest of all: `differs  net1 of
 * container 0a1b (network blue)`.
 */
export function lines(items: readonly Item[], paint: Paint): string[] {
  const width = Math.max(0, ...items.map(({ word }) => word.length));
  return items.flatMap(({ grade, word, text, findings = [] }) => {
    const indent = " ".repeat(width + 2);
    return [
      `${paint[grade](word.padEnd(width))}  ${printable(text)}`,
      ...findings.flatMap(({ fact, hint }, position) => [
        `${indent}${printable(fact)}`,
        // What is to be done for several facts in a row is said once.
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
