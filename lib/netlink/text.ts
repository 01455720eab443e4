// Converts UTF-8, because the engine has no codec for it. A link's name may be any bytes: those
// that are not UTF-8 become lone surrogates, as in Python's "surrogateescape".
import { unwritable } from "./errors.ts";

/** Returns the text from `start` to the first NUL or to `end`. */
export function readText(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === 0) break;
    if (byte < 0x80) {
      text += String.fromCharCode(byte);
      continue;
    }
    const length = sequenceLength(bytes, at, end);
    if (length === 0) {
      text += String.fromCharCode(0xdc00 + byte);
      continue;
    }
    let point = byte & (0x7f >> length);
    for (let i = 1; i < length; i++) point = (point << 6) | (bytes[at + i]! & 0x3f);
    text += String.fromCodePoint(point);
    at += length - 1;
  }
  return text;
}

/**
 * Returns the number of bytes of the character at `at`, which is not ASCII. 0 if it is malformed
 * (table 3-7 of the Unicode standard).
 */
function sequenceLength(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at]!;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > end) return 0;
  const second = bytes[at + 1]!;
  if (first === 0xe0 && second < 0xa0) return 0;
  if (first === 0xed && second > 0x9f) return 0;
  if (first === 0xf0 && second < 0x90) return 0;
  if (first === 0xf4 && second > 0x8f) return 0;
  for (let i = 1; i < length; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return 0;
  return length;
}

/**
 * The inverse of `readText`. Throws a NetlinkError (EINVAL) if the text has a NUL, or a lone
 * surrogate that stands for no byte.
 */
export function bytesOfText(text: string): number[] {
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const point = text.codePointAt(i)!;
    if (point === 0 || (point >= 0xd800 && point < 0xdc80) || (point > 0xdcff && point < 0xe000))
      throw unwritable(`${JSON.stringify(text)} is not a name`);
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), following(point));
    else if (point >= 0xdc80 && point <= 0xdcff) bytes.push(point - 0xdc00);
    else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), following(point >> 6), following(point));
    else {
      bytes.push(0xf0 | (point >> 18), following(point >> 12), following(point >> 6), following(point));
      // A pair of surrogates.
      i++;
    }
  }
  return bytes;
}

/** A byte of UTF-8 that is not the first of its character. */
function following(point: number): number {
  return 0x80 | (point & 0x3f);
}
