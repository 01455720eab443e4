// Parses JSON from outside, and reports where it is broken. The engine's own messages change from
// one version to the next.
import { CniError, code } from "./errors.ts";

/** An object that JSON.parse returned. It may have any key and any value. */
export type JsonObject = { readonly [key: string]: unknown };

/**
 * The maximum number of different keys of a text. The engine finds a key among all keys with the
 * same hash one by one: 8192 chosen keys would cost more than half a second.
 */
const maxDifferentKeys = 512;

/** The maximum number of keys of a text. A GC with 8000 attachments has as many. */
const maxKeys = 16_384;

/**
 * Decodes one JSON object. Throws a CniError 6 that begins with `subject` and states the position
 * of the fault.
 */
export function decodeObject(text: string, subject: string): JsonObject {
  refuseManyKeys(text, subject);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const fault = faultIn(text);
    // Well-formed text that the engine refuses exceeded the engine's stack or memory.
    const fact = fault === undefined ? "is too deeply nested or too large" : `is not JSON: ${fault}`;
    throw new CniError(code.decoding, `${subject}: ${fact}`);
  }
  if (isObject(value)) return value;
  throw new CniError(
    code.decoding,
    `${subject}: is ${Array.isArray(value) ? "a list" : `${JSON.stringify(value)}`.slice(0, 60)}, not an object`,
  );
}

/**
 * Throws a CniError 6 if the text has too many keys, at any depth. Counts them before the engine
 * stores the first one, in linear time, also in a text that is not JSON.
 */
function refuseManyKeys(text: string, subject: string): void {
  const different = new Set<string>();
  let count = 0;
  for (let start = text.indexOf('"'); start >= 0; ) {
    let end = start;
    do end = text.indexOf('"', end + 1);
    while (end >= 0 && isEscaped(text, end));
    if (end < 0) return;
    let next = end + 1;
    while (next < text.length && " \t\n\r".includes(text[next]!)) next++;
    if (text[next] === ":") {
      count++;
      different.add(text.slice(start, end));
      const most = different.size > maxDifferentKeys ? `${maxDifferentKeys} different` : count > maxKeys && maxKeys;
      if (most !== false)
        throw new CniError(
          code.decoding,
          `${subject}: ${place(text, start)}: more than ${most} keys; remove those that no plugin reads`,
        );
    }
    start = text.indexOf('"', end + 1);
  }
}

/** Whether an odd number of backslashes is before the position. */
function isEscaped(text: string, at: number): boolean {
  let first = at;
  while (text[first - 1] === "\\") first--;
  return (at - first) % 2 === 1;
}

/** Returns the position of the fault, unless the search for it exceeds memory as well. */
function faultIn(text: string): string | undefined {
  try {
    return syntaxFault(text);
  } catch {
    return undefined;
  }
}

/** Whether a value from JSON is an object: neither a list nor null. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What may come next. The names are the words of the message. */
type Expected =
  | "a value"
  | 'a value or "]"'
  | 'a key or "}"'
  | "a key"
  | '":"'
  | '"," or "}"'
  | '"," or "]"'
  | "nothing more";

/**
 * Says where and why the text stops being JSON (RFC 8259): `line 3, column 7: unexpected "}",
 * expected a value`. Undefined if the text is JSON.
 *
 * Columns count UTF-16 units. The time is linear in the length of the text, and the stack does not
 * grow.
 */
export function syntaxFault(text: string): string | undefined {
  const open: string[] = [];
  let expected: Expected = "a value";
  let at = 0;
  const after = (): Expected =>
    open.length === 0 ? "nothing more" : open.at(-1) === "{" ? '"," or "}"' : '"," or "]"';

  for (;;) {
    while (at < text.length && " \t\n\r".includes(text[at]!)) at++;
    if (at === text.length)
      return expected === "nothing more" ? undefined : `${place(text, at)}: ends too early, expected ${expected}`;
    const character = text[at]!;
    const closes = open.at(-1) === "{" ? "}" : "]";
    const mayClose = expected === 'a key or "}"' || expected === 'a value or "]"' || expected.startsWith('","');
    if (open.length > 0 && mayClose && character === closes) {
      open.pop();
      at++;
      expected = after();
    } else if (expected.startsWith('","') && character === ",") {
      at++;
      expected = closes === "}" ? "a key" : "a value";
    } else if (expected === '":"' && character === ":") {
      at++;
      expected = "a value";
    } else if (expected.startsWith("a key") && character === '"') {
      const end = stringEnd(text, at);
      if (typeof end === "string") return end;
      at = end;
      expected = '":"';
    } else if (expected.startsWith("a value") && (character === "{" || character === "[")) {
      open.push(character);
      at++;
      expected = character === "{" ? 'a key or "}"' : 'a value or "]"';
    } else if (expected.startsWith("a value")) {
      const end = scalarEnd(text, at);
      if (typeof end === "string") return end;
      if (end === at) return unexpected(text, at, expected);
      at = end;
      expected = after();
    } else return unexpected(text, at, expected);
  }
}

/**
 * Returns the end of the string, number or word that begins at `start`: `start` itself if none
 * begins there, or what is wrong with it.
 */
function scalarEnd(text: string, start: number): number | string {
  if (text[start] === '"') return stringEnd(text, start);
  const scalar = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
  scalar.lastIndex = start;
  return scalar.test(text) ? scalar.lastIndex : start;
}

function stringEnd(text: string, start: number): number | string {
  for (let at = start + 1; at < text.length; at++) {
    const character = text[at]!;
    if (character === '"') return at + 1;
    if (character < " ") return `${place(text, at)}: ${named(character)} inside a string, write it as an escape`;
    if (character !== "\\") continue;
    const escaped = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
    escaped.lastIndex = at;
    if (!escaped.test(text)) return `${place(text, at)}: unknown escape in a string`;
    at = escaped.lastIndex - 1;
  }
  return `${place(text, start)}: the string that begins here does not end`;
}

function unexpected(text: string, at: number, expected: Expected): string {
  return `${place(text, at)}: unexpected ${named(String.fromCodePoint(text.codePointAt(at)!))}, expected ${expected}`;
}

/** Returns a character in a form that any log can hold. */
function named(character: string): string {
  const point = character.codePointAt(0)!;
  return point > 0x20 && point < 0x7f
    ? JSON.stringify(character)
    : `U+${point.toString(16).toUpperCase().padStart(4, "0")}`;
}

function place(text: string, at: number): string {
  const before = text.slice(0, at);
  const line = before.split("\n").length;
  return `line ${line}, column ${at - before.lastIndexOf("\n")}`;
}
