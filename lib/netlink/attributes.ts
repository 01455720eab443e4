// Attributes: netlink's lists of (length, type, payload). Tables describe them, and TypeScript
// infers their types from the tables.
// biome-ignore-all lint/suspicious/noExplicitAny: what a table describes is known to its type, not to the code that follows it.
import { about, malformed, type NetlinkError, unwritable } from "./errors.ts";
import { hex } from "./scalars.ts";
import { align, type Codec, type Reader, reserve, type ValueOf, type Writer } from "./wire.ts";

/** The name of each attribute, with its number in the kernel's header and its codec. */
export type Table = Readonly<Record<string, readonly [type: number, codec: Codec<any>]>>;

/** The value that a table describes: any of its attributes. */
export type Attributes<T extends Table> = {
  readonly [K in keyof T as T[K][1] extends Dropped ? never : K]?: ValueOf<T[K][1]>;
};

/**
 * The attributes that a table does not name: the type with its flag bits, and the payload in hex.
 */
export type Rest = readonly (readonly [type: number, hex: string])[];

/** An attribute that only the kernel writes, such as time stamps. It is not kept. */
export interface Dropped extends Codec<never> {
  readonly dropped: true;
}

/** NLA_F_NESTED: the payload is attributes. The bit below is NLA_F_NET_BYTEORDER. */
export const nested = 0x8000;
const typeMask = 0x3fff;

/** Every attribute begins with its length, which includes this header, and its type. */
const headerSize = 4;

/**
 * A codec that loses no attribute: those that the table does not name are kept in `rest` and
 * written again.
 *
 * A name may also be that of a header's field (message.ts). Then the attribute decides, because it
 * is the wider of the two. `told` names the attributes in which the kernel reports what a request
 * says by another attribute.
 */
export function attrs<const T extends Table>(table: T, told?: Table): Codec<Attributes<T> & { readonly rest?: Rest }> {
  return codecOf(table, true, told);
}

/**
 * A codec of the attributes that the table names, and of no others: for what is read and never
 * written back, such as the 60 attributes of a link.
 */
export function excerpt<const T extends Table>(table: T): Codec<Attributes<T>> {
  return codecOf(table, false);
}

/** An attribute that appears once for each element of a list. */
export function repeated<T>(element: Codec<T>): Codec<readonly T[]> {
  return {
    element,
    decode(from, start, end, previous = []) {
      (previous as T[]).push(element.decode(from, start, end));
      return previous;
    },
    encode: nothing,
  };
}

export const dropped: Dropped = {
  dropped: true,
  decode: () => undefined as never,
  encode: nothing,
};

/** The `encode` of a codec whose values are never written, or only by its `element`. */
export function nothing(): void {
  // Nothing is written.
}

/**
 * Reads the attributes in order, and calls `take` with the type (without flag bits) and the payload
 * of each. Throws a NetlinkError (EBADMSG).
 */
export function eachAttribute(
  from: Reader,
  start: number,
  end: number,
  take: (type: number, start: number, end: number) => void,
): void {
  const { halves } = from;
  let at = start;
  while (end - at >= headerSize) {
    const next = at + halves[at >> 1]!;
    if (next < at + headerSize || next > end) throw misfit(halves, at, end);
    take(halves[(at >> 1) + 1]! & typeMask, at + headerSize, next);
    at = (next + 3) & ~3;
  }
  if (at < end) throw malformed(`${end - at} bytes after the last attribute`);
}

function misfit(halves: Uint16Array, at: number, end: number): NetlinkError {
  return malformed(
    `attribute ${halves[(at >> 1) + 1]! & typeMask} is ${halves[at >> 1]} bytes long, expected 4 to ${end - at}`,
  );
}

/** Appends an attribute, or one for each element of the value. */
export function appendAttribute(to: Writer, type: number, codec: Codec<any>, value: unknown): void {
  const { element } = codec;
  if (element !== undefined) {
    for (const one of codec.elements?.(value) ?? (value as unknown[])) appendAttribute(to, type, element, one);
    return;
  }
  const start = reserve(to, headerSize);
  codec.encode(to, value);
  const length = to.length - start;
  if (length > 0xffff) throw unwritable(`${length - headerSize} bytes, expected at most ${0xffff - headerSize}`);
  to.halves[start >> 1] = length;
  to.halves[(start >> 1) + 1] = type | (codec.flag ?? 0);
  align(to);
}

function codecOf(table: Table, lossless: boolean, told: Table = {}): Codec<any> {
  // By type. Built when it is first needed, because one run reads few of the tables.
  let names: Record<number, string> | undefined;
  return {
    flag: nested,
    decode(from, start, end, value: any = {}) {
      names ??= namesByType(table, told);
      // eachAttribute, written out: most of the time is spent in this loop.
      const { halves } = from;
      let name = "";
      let at = start;
      try {
        while (end - at >= headerSize) {
          const next = at + halves[at >> 1]!;
          if (next < at + headerSize || next > end) throw misfit(halves, at, end);
          const type = halves[(at >> 1) + 1]!;
          const known = names[type & typeMask];
          if (known !== undefined) {
            name = known;
            const entry = table[name]!;
            const codec = entry[0] === (type & typeMask) ? entry[1] : told[name]![1];
            const decoded = codec.decode(from, at + headerSize, next, value[name]);
            if (decoded !== undefined) value[name] = decoded;
          } else if (lossless) {
            value.rest ??= [];
            value.rest.push([type, hex.decode(from, at + headerSize, next)]);
          }
          name = "";
          at = (next + 3) & ~3;
        }
      } catch (error) {
        throw about(name, error);
      }
      if (at < end) throw malformed(`${end - at} bytes after the last attribute`);
      return value;
    },
    encode(to, value) {
      let name = "";
      try {
        for (name in value) {
          const entry = table[name];
          if (entry !== undefined && value[name] !== undefined) appendAttribute(to, entry[0], entry[1], value[name]);
        }
        name = "rest";
        if (value.rest !== undefined) for (const [type, payload] of value.rest) appendAttribute(to, type, hex, payload);
      } catch (error) {
        throw about(name, error);
      }
    },
    locate(from, start, end, at) {
      let path: string | undefined;
      eachAttribute(from, start, end, (type, first, last) => {
        if (at < first - headerSize || at >= last) return;
        const name = Object.keys(table).find((key) => table[key]![0] === type) ?? `attribute ${type}`;
        const part = at < first ? undefined : table[name]?.[1].locate?.(from, first, last, at);
        path = below(name, part);
      });
      return path;
    },
  };
}

/** Returns the name of an attribute, or of the part of it that is meant. */
export function below(name: string, part: string | undefined): string {
  return part === undefined ? name : `${name}.${part}`;
}

function namesByType(...tables: readonly Table[]): Record<number, string> {
  const names: Record<number, string> = {};
  for (const table of tables) for (const name in table) names[table[name]![0]] = name;
  return names;
}
