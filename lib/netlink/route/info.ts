// IFLA_LINKINFO: the kind of a link and, for the port of a master, its kind as a port, each with
// its own settings.
// biome-ignore-all lint/suspicious/noExplicitAny: a codec's type is inferred where it is used.
import { appendAttribute, below, eachAttribute, nested } from "../attributes.ts";
import { within } from "../errors.ts";
import { hex, string } from "../scalars.ts";
import type { Codec, Reader, ValueOf } from "../wire.ts";

/** The codec of the settings of each kind. */
type Kinds = Readonly<Record<string, Codec<any>>>;

/**
 * A kind that no table names, such as `vxlan`. Its data is hex.
 *
 * The type is a stand-in: TypeScript tells the members of a union apart by literals, and no literal
 * means "any other text". With it, `kind === "bridge"` narrows `data`. To compare with a kind that
 * no table names, write `kind as string`.
 */
export type OtherKind = "another kind";

/** A kind under the name K, and its data under the name D. */
type Choice<K extends string, D extends string, T extends Kinds> =
  | { [N in keyof T & string]: { readonly [_ in K]: N } & { readonly [_ in D]?: ValueOf<T[N]> } }[keyof T & string]
  | ({ readonly [_ in K]: OtherKind } & { readonly [_ in D]?: string })
  | { readonly [_ in K | D]?: never };

/**
 * `kind` and `data` describe the link, `slaveKind` and `slaveData` the link as a port of its
 * master.
 */
export type LinkInfo<Own extends Kinds, Slave extends Kinds> = Choice<"kind", "data", Own> &
  Choice<"slaveKind", "slaveData", Slave>;

/** IFLA_INFO_*. */
const types = { kind: 1, data: 2, slaveKind: 4, slaveData: 5 } as const;

/**
 * Returns a codec of IFLA_LINKINFO from the settings of each kind of link, and of a port of each
 * kind of master.
 */
export function linkInfo<const Own extends Kinds, const Slave extends Kinds>(
  own: Own,
  slave: Slave,
): Codec<LinkInfo<Own, Slave>> {
  return {
    flag: nested,
    decode(from, start, end) {
      const value: Untyped = kindsOf(from, start, end);
      eachAttribute(from, start, end, (type, first, last) => {
        if (type === types.data) value.data = within("data", () => settings(own, value.kind).decode(from, first, last));
        if (type === types.slaveData)
          value.slaveData = within("slaveData", () => settings(slave, value.slaveKind).decode(from, first, last));
      });
      return value as LinkInfo<Own, Slave>;
    },
    encode(to, value) {
      const { kind, data, slaveKind, slaveData } = value as Untyped;
      if (kind !== undefined) appendAttribute(to, types.kind, string, kind);
      if (data !== undefined) within("data", () => appendAttribute(to, types.data, settings(own, kind), data));
      if (slaveKind !== undefined) appendAttribute(to, types.slaveKind, string, slaveKind);
      if (slaveData !== undefined)
        within("slaveData", () => appendAttribute(to, types.slaveData, settings(slave, slaveKind), slaveData));
    },
    locate(from, start, end, at) {
      const { kind, slaveKind } = kindsOf(from, start, end);
      let path: string | undefined;
      eachAttribute(from, start, end, (type, first, last) => {
        if (at < first || at >= last) return;
        if (type === types.data) path = below("data", settings(own, kind).locate?.(from, first, last, at));
        if (type === types.slaveData)
          path = below("slaveData", settings(slave, slaveKind).locate?.(from, first, last, at));
      });
      return path;
    },
  };
}

interface Untyped {
  kind?: string;
  data?: unknown;
  slaveKind?: string;
  slaveData?: unknown;
}

function kindsOf(from: Reader, start: number, end: number): Untyped {
  const kinds: Untyped = {};
  eachAttribute(from, start, end, (type, first, last) => {
    if (type === types.kind) kinds.kind = string.decode(from, first, last);
    if (type === types.slaveKind) kinds.slaveKind = string.decode(from, first, last);
  });
  return kinds;
}

function settings(kinds: Kinds, kind = ""): Codec<any> {
  return Object.hasOwn(kinds, kind) ? kinds[kind]! : hex;
}
