// Makes text from outside safe to print: names of links and files, values of netconfs, and the
// kernel's words. Every terminal output, log line and CNI document goes through it.

/**
 * What is not printed as it is: everything except printable ASCII, plain letters (Latin, Greek,
 * Cyrillic, Han, Hangul, kana), and the signs of our own texts.
 *
 * It matches control characters (C0, C1), bidirectional overrides and letters of right-to-left
 * scripts, characters without width, combining marks, line separators, and lone surrogates.
 */
const unsafe = /[^ -~À-ÖØ-öø-ɏͰ-ϿЀ-҂Ҋ-ԯぁ-ゖァ-ヺー-ヿ一-鿿가-힣×–…─-╿]/gu;

/**
 * Returns one line of text that cannot control a terminal. What is escaped reads `\x1b` or
 * `\u{202e}`. A byte that is not UTF-8 (netlink/text.ts) reads as itself: `\xff`.
 */
export function printable(text: string): string {
  return text.replaceAll(unsafe, (character) => {
    const point = character.codePointAt(0)!;
    const value = point >= 0xdc80 && point <= 0xdcff ? point - 0xdc00 : point;
    const digits = value.toString(16);
    return value <= 0xff ? `\\x${digits.padStart(2, "0")}` : `\\u{${digits}}`;
  });
}

/** Returns the value as JSON that cannot control a terminal: of the same value, with `\u202e`. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(unsafe, (character) =>
    Array.from(
      { length: character.length },
      (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`,
    ).join(""),
  );
}

/** Returns a copy of the data in which every string is printable. Shared objects stay shared. */
export function printableParts<T>(data: T): T {
  const copies = new Map<object, unknown>();
  const copy = (value: unknown): unknown => {
    if (typeof value === "string") return printable(value);
    if (typeof value !== "object" || value === null) return value;
    if (!copies.has(value))
      copies.set(
        value,
        Array.isArray(value)
          ? value.map(copy)
          : Object.fromEntries(Object.entries(value).map(([key, part]) => [key, copy(part)])),
      );
    return copies.get(value);
  };
  return copy(data) as T;
}
