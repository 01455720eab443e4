// Codecs of values that are not attributes: numbers, structures of numbers, text, addresses, bytes.
// biome-ignore-all lint/suspicious/noExplicitAny: the fields of a structure are known to its type, not to the code that follows it.
import { formatIp, parseIp } from "../net/ip.ts";
import { malformed, unwritable } from "./errors.ts";
import { bytesOfText, readText } from "./text.ts";
import { type Codec, expectSize, type Reader, reserve, type Scalar, type ValueOf, type Writer } from "./wire.ts";

function scalar<T>(
  size: number,
  read: (from: Reader, at: number) => T,
  write: (to: Writer, at: number, value: T) => void,
): Scalar<T> {
  return {
    size,
    read,
    write,
    decode(from, start, end) {
      expectSize(size, start, end);
      return read(from, start);
    },
    encode(to, value) {
      write(to, reserve(to, size), value);
    },
  };
}

/** Returns the number if it is an integer from `lowest` to `highest`. */
function fitting(value: number, lowest: number, highest: number): number {
  if (!Number.isInteger(value) || value < lowest || value > highest)
    throw unwritable(`${value} is not an integer from ${lowest} to ${highest}`);
  return value;
}

export const u8: Scalar<number> = scalar(
  1,
  (from, at) => from.bytes[at]!,
  (to, at, value) => {
    to.bytes[at] = fitting(value, 0, 0xff);
  },
);

export const u16: Scalar<number> = scalar(
  2,
  (from, at) => from.halves[at >> 1]!,
  (to, at, value) => {
    to.halves[at >> 1] = fitting(value, 0, 0xffff);
  },
);

export const u32: Scalar<number> = scalar(
  4,
  (from, at) => from.words[at >> 2]!,
  (to, at, value) => {
    to.words[at >> 2] = fitting(value, 0, 0xffffffff);
  },
);

export const s32: Scalar<number> = scalar(
  4,
  (from, at) => from.words[at >> 2]! | 0,
  (to, at, value) => {
    to.words[at >> 2] = fitting(value, -0x80000000, 0x7fffffff);
  },
);

/** A 16-bit number in network byte order, such as a VLAN protocol (0x8100). */
export const be16: Scalar<number> = scalar(
  2,
  (from, at) => (from.bytes[at]! << 8) | from.bytes[at + 1]!,
  (to, at, value) => {
    to.bytes[at] = fitting(value, 0, 0xffff) >> 8;
    to.bytes[at + 1] = value;
  },
);

/** A byte that is 0 or 1. */
export const bool: Scalar<boolean> = scalar(
  1,
  (from, at) => from.bytes[at] !== 0,
  (to, at, value) => {
    to.bytes[at] = value ? 1 : 0;
  },
);

/** In a header: the low eight bits of a number that an attribute of the same name holds in full. */
export const lowByte: Scalar<number> = scalar(1, u8.read, (to, at, value) => {
  to.bytes[at] = value;
});

type Fields = Readonly<Record<string, Scalar<any>>>;

/**
 * A structure of numbers in C's layout.
 *
 * `size` is set if the kernel's structure is longer than the named fields. The rest is ignored, and
 * written as zeros.
 */
export function struct<const F extends Fields>(
  fields: F,
  size = 0,
): Scalar<{ readonly [K in keyof F]: ValueOf<F[K]> }> {
  // Three arrays, not one of triples: this engine destructures arrays slowly.
  const names: string[] = [];
  const scalars: Scalar<any>[] = [];
  const offsets: number[] = [];
  let used = 0;
  for (const name in fields) {
    const field = fields[name]!;
    const offset = (used + field.size - 1) & -field.size;
    names.push(name);
    scalars.push(field);
    offsets.push(offset);
    used = offset + field.size;
  }
  const read = (from: Reader, at: number) => {
    const value: any = {};
    for (let i = 0; i < names.length; i++) value[names[i]!] = scalars[i]!.read(from, at + offsets[i]!);
    return value;
  };
  const write = (to: Writer, at: number, value: any) => {
    for (let i = 0; i < names.length; i++) {
      const part = value[names[i]!];
      if (part !== undefined) scalars[i]!.write(to, at + offsets[i]!, part);
    }
  };
  return scalar(Math.max(size, used), read, write);
}

/**
 * Text with a NUL at its end. Bytes that are not UTF-8 become lone surrogates (text.ts), so that no
 * name is lost.
 */
export const string: Codec<string> = {
  decode: (from, start, end) => readText(from.bytes, start, end),
  encode(to, value) {
    const bytes = bytesOfText(value);
    const start = reserve(to, bytes.length + 1);
    to.bytes.set(bytes, start);
  },
};

/** Any bytes in hex, such as `00ff`. */
export const hex: Codec<string> = {
  decode(from, start, end) {
    let text = "";
    for (let at = start; at < end; at++) text += hexByte(from.bytes[at]!);
    return text;
  },
  encode(to, value) {
    if (!/^(?:[0-9a-f]{2})*$/i.test(value)) throw unwritable(`"${value}" is not hex`);
    writeHex(to, value, 2);
  },
};

/** A hardware address of any length, such as `02:00:00:00:00:01`. */
export const macAddress: Codec<string> = {
  decode(from, start, end) {
    let text = "";
    for (let at = start; at < end; at++)
      text += at === start ? hexByte(from.bytes[at]!) : `:${hexByte(from.bytes[at]!)}`;
    return text;
  },
  encode(to, value) {
    if (!/^(?:[0-9a-f]{2}(?::[0-9a-f]{2})*)?$/i.test(value)) throw unwritable(`"${value}" is not a hardware address`);
    writeHex(to, value, 3);
  },
};

const digits = "0123456789abcdef";

function hexByte(byte: number): string {
  return digits[byte >> 4]! + digits[byte & 15]!;
}

/** Writes the bytes of a text that has one byte in every `step` characters. */
function writeHex(to: Writer, text: string, step: number): void {
  const count = Math.ceil(text.length / step);
  const start = reserve(to, count);
  for (let i = 0; i < count; i++) to.bytes[start + i] = Number.parseInt(text.slice(i * step, i * step + 2), 16);
}

/** An IPv4 or IPv6 address: the length decides. IPv6 is written as in RFC 5952. */
export const ipAddress: Codec<string> = {
  decode(from, start, end) {
    if (end - start !== 4 && end - start !== 16) throw malformed(`${end - start} bytes, expected 4 or 16`);
    return formatIp(from.bytes, start, end);
  },
  encode(to, value) {
    const bytes = parseIp(value);
    if (bytes === undefined) throw unwritable(`"${value}" is not an IP address`);
    const start = reserve(to, bytes.length);
    to.bytes.set(bytes, start);
  },
};

/** An attribute whose presence is its value. */
export const flagAttribute: Codec<true> = {
  decode(_, start, end) {
    expectSize(0, start, end);
    return true;
  },
  encode: () => undefined,
};
