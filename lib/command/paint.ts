// Colours text on a terminal.

/** Colours a text, or returns it unchanged. */
export interface Paint {
  readonly good: (text: string) => string;
  readonly doubtful: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly strong: (text: string) => string;
  readonly faint: (text: string) => string;
}

/** SGR sequences of ECMA-48, each with the sequence that ends it. */
export const coloured: Paint = {
  good: (text) => `\x1b[32m${text}\x1b[39m`,
  doubtful: (text) => `\x1b[33m${text}\x1b[39m`,
  bad: (text) => `\x1b[31m${text}\x1b[39m`,
  strong: (text) => `\x1b[1m${text}\x1b[22m`,
  faint: (text) => `\x1b[2m${text}\x1b[22m`,
};

const same = (text: string): string => text;

export const plain: Paint = { good: same, doubtful: same, bad: same, strong: same, faint: same };

/** Colours if standard output is a terminal with colours and NO_COLOR is empty (no-color.org). */
export function paintFor(terminal: Pick<typeof import("host"), "env" | "isTerminal">): Paint {
  const { NO_COLOR, TERM } = terminal.env();
  return !NO_COLOR && TERM !== "dumb" && terminal.isTerminal(1) ? coloured : plain;
}
