// The bytes of a netlink datagram, read and written in the host's own byte order, and what a codec
// of a part of them is.
// biome-ignore-all lint/suspicious/noExplicitAny: a codec's type is inferred where it is used.
import { malformed } from "./errors.ts";

/**
 * A datagram seen as bytes, as 16-bit and as 32-bit numbers. Netlink aligns every header and
 * attribute to 4 bytes, so that a number is one element of one of
 * these views, in the host's byte order whatever that is: `words[at >> 2]` is the 32-bit number at
 * byte `at`.
 */
export interface Reader {
  readonly bytes: Uint8Array;
  readonly halves: Uint16Array;
  readonly words: Uint32Array;
}

/** Looks at a datagram; it is copied only if it does not begin at an aligned address. */
export function reader(datagram: Uint8Array): Reader {
  const bytes = datagram.byteOffset % 4 === 0 ? datagram : datagram.slice();
  const { buffer, byteOffset, length } = bytes;
  return {
    bytes,
    halves: new Uint16Array(buffer, byteOffset, length >> 1),
    words: new Uint32Array(buffer, byteOffset, length >> 2),
  };
}

/**
 * A datagram in the making. The views are of one buffer and are replaced when it grows: `reserve`
 * first, then look at them.
 */
export interface Writer {
  bytes: Uint8Array;
  halves: Uint16Array;
  words: Uint32Array;
  /** How many bytes have been written, and so where the next one goes. */
  length: number;
}

export function writer(): Writer {
  const buffer = new ArrayBuffer(256);
  return { bytes: new Uint8Array(buffer), halves: new Uint16Array(buffer), words: new Uint32Array(buffer), length: 0 };
}

/** Makes room for `size` more bytes, which are zero, and returns where they begin. */
export function reserve(to: Writer, size: number): number {
  const start = to.length;
  to.length += size;
  if (to.length > to.bytes.length) {
    const bytes = new Uint8Array(Math.max(2 * to.bytes.length, (to.length + 3) & ~3));
    bytes.set(to.bytes);
    to.bytes = bytes;
    to.halves = new Uint16Array(bytes.buffer);
    to.words = new Uint32Array(bytes.buffer);
  }
  return start;
}

/** Goes on to the next multiple of 4, where the next header or attribute begins. */
export function align(to: Writer): void {
  reserve(to, -to.length & 3);
}

/** Reads and writes one kind of value: an attribute's payload. */
export interface Codec<T> {
  /**
   * NLA_F_NESTED where the payload is attributes: to be set in the type of the attribute that holds
   * it.
   */
  readonly flag?: number;
  /** Where a value takes several attributes of the same type: what each of them holds, and how. */
  readonly element?: Codec<any>;
  elements?(value: T): readonly unknown[];
  /**
   * The value in the bytes from `start` to `end`, which the caller knows to be there.
   * `previous` is the value of an earlier attribute of the same name. Throws a NetlinkError
   * (EBADMSG) where the bytes make no such value.
   */
  decode(from: Reader, start: number, end: number, previous?: T): T;
  /** Appends the value. Throws a NetlinkError (EINVAL) where it cannot be written. */
  encode(to: Writer, value: T): void;
  /** The name of what is at byte `at` of the datagram, where the codec knows of parts. */
  locate?(from: Reader, start: number, end: number, at: number): string | undefined;
}

/** A value of a fixed size: also a field of a header, where a number is aligned to its size. */
export interface Scalar<T> extends Codec<T> {
  /** In bytes. */
  readonly size: number;
  /** The value at byte `at`, without a check of the bounds. */
  read(from: Reader, at: number): T;
  write(to: Writer, at: number, value: T): void;
}

/** The value that a codec reads and writes. */
export type ValueOf<C> = C extends Codec<infer T> ? T : never;

/** Throws unless `size` bytes fill the range. */
export function expectSize(size: number, start: number, end: number): void {
  if (end - start !== size) throw malformed(`${end - start} bytes, expected ${size}`);
}
