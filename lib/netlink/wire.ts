// The bytes of a netlink datagram, in the host's byte order, and the interface of the codecs that
// read and write parts of it.
// biome-ignore-all lint/suspicious/noExplicitAny: a codec's type is inferred where it is used.
import { malformed } from "./errors.ts";

/**
 * A datagram as bytes, as 16-bit numbers and as 32-bit numbers.
 *
 * Netlink aligns every header and attribute to 4 bytes. So each number is one element of one of
 * these views, in the host's byte order: `words[at >> 2]` is the 32-bit number at byte `at`.
 */
export interface Reader {
  readonly bytes: Uint8Array;
  readonly halves: Uint16Array;
  readonly words: Uint32Array;
}

/**
 * Returns the views of a datagram. Copies the datagram only if it begins at an unaligned address.
 */
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
 * A datagram that is being written. All views share one buffer, and are replaced when it grows:
 * call `reserve` before you use them.
 */
export interface Writer {
  bytes: Uint8Array;
  halves: Uint16Array;
  words: Uint32Array;
  /** The number of bytes written so far: the position of the next one. */
  length: number;
}

export function writer(): Writer {
  const buffer = new ArrayBuffer(256);
  return { bytes: new Uint8Array(buffer), halves: new Uint16Array(buffer), words: new Uint32Array(buffer), length: 0 };
}

/** Appends `size` zero bytes, and returns the position of the first. */
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

/** Appends zero bytes up to the next multiple of 4, where the next header or attribute begins. */
export function align(to: Writer): void {
  reserve(to, -to.length & 3);
}

/** Reads and writes one kind of value: the payload of an attribute. */
export interface Codec<T> {
  /** NLA_F_NESTED if the payload is attributes. It is set in the type of the attribute. */
  readonly flag?: number;
  /**
   * Only for a value that takes several attributes of the same type: the codec of each, and the
   * parts of the value.
   */
  readonly element?: Codec<any>;
  elements?(value: T): readonly unknown[];
  /**
   * Returns the value in the bytes from `start` to `end`, which exist. `previous` is the value of
   * an earlier attribute of the same name.
   *
   * Throws a NetlinkError (EBADMSG) if the bytes form no such value.
   */
  decode(from: Reader, start: number, end: number, previous?: T): T;
  /** Appends the value. Throws a NetlinkError (EINVAL) if the value cannot be written. */
  encode(to: Writer, value: T): void;
  /** Returns the name of the part at byte `at` of the datagram, if the codec knows parts. */
  locate?(from: Reader, start: number, end: number, at: number): string | undefined;
}

/**
 * A value of a fixed size. It may be a field of a header, in which a number is aligned to its size.
 */
export interface Scalar<T> extends Codec<T> {
  /** In bytes. */
  readonly size: number;
  /** Returns the value at byte `at`. Does not check the bounds. */
  read(from: Reader, at: number): T;
  write(to: Writer, at: number, value: T): void;
}

/** The value that a codec reads and writes. */
export type ValueOf<C> = C extends Codec<infer T> ? T : never;

/** Throws unless the range is `size` bytes long. */
export function expectSize(size: number, start: number, end: number): void {
  if (end - start !== size) throw malformed(`${end - start} bytes, expected ${size}`);
}
