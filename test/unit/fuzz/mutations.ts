// Makes an input of others: bytes and blocks changed, moved, taken away, put in, and words that the
// code under test compares with.

/** Numbers from 0 to 1 (without 1), the same ones for the same seed. */
export type Random = () => number;

/** Mulberry32, by Tommy Ettinger: 32 bits of state, which is enough to choose by. */
export function randomOf(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What a mutation may draw from. */
export interface Sources {
  readonly random: Random;
  /** Inputs that were worth keeping. */
  readonly corpus: readonly Buffer[];
  readonly words: readonly Buffer[];
}

/** The longest input, in bytes. */
const longest = 4096;

/** Lengths and numbers at which code decides. */
const edges = [0, 1, 3, 4, 7, 8, 15, 16, 17, 20, 31, 32, 36, 64, 0x7f, 0x80, 0xfe, 0xff];

/** An input made of one of the corpus by a few mutations. */
export function mutated(sources: Sources): Buffer {
  const { random, corpus } = sources;
  let bytes = chosen(random, corpus);
  for (let left = 1 + below(random, 5); left > 0; left--) bytes = chosen(random, mutations)(bytes, sources);
  return bytes.subarray(0, longest);
}

type Mutation = (bytes: Buffer, sources: Sources) => Buffer;

const overwritten =
  (value: (before: number, random: Random) => number): Mutation =>
  (bytes, { random }) => {
    const copy = Buffer.from(bytes);
    if (copy.length > 0) {
      const at = below(random, copy.length);
      copy[at] = value(copy[at]!, random);
    }
    return copy;
  };

const mutations: readonly Mutation[] = [
  overwritten((before, random) => before ^ (1 << below(random, 8))),
  overwritten((_, random) => below(random, 256)),
  overwritten((_, random) => chosen(random, edges)),
  overwritten((before, random) => before + below(random, 9) - 4),
  // 16 or 32 bits at once, little endian, as lengths are.
  (bytes, { random }) => {
    const copy = Buffer.from(bytes);
    const size = random() < 0.5 ? 2 : 4;
    if (copy.length < size) return copy;
    const at = below(random, copy.length - size + 1) & (random() < 0.8 ? ~3 : ~0);
    copy.writeUIntLE(chosen(random, edges), at, size);
    return copy;
  },
  // Taken away.
  (bytes, { random }) => {
    const [from, to] = range(random, bytes.length);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
  },
  // Put somewhere else once more.
  (bytes, { random }) => {
    const [from, to] = range(random, bytes.length);
    return inserted(bytes, below(random, bytes.length + 1), bytes.subarray(from, to));
  },
  (bytes, { random }) => bytes.subarray(0, below(random, bytes.length + 1)),
  // A part of another one, in the place of its own.
  (bytes, { random, corpus }) => {
    const other = chosen(random, corpus);
    const [from, to] = range(random, other.length);
    const copy = Buffer.from(bytes);
    other.copy(copy, below(random, copy.length + 1), from, to);
    return copy;
  },
  (bytes, { random, corpus }) => {
    const other = chosen(random, corpus);
    return Buffer.concat([
      bytes.subarray(0, below(random, bytes.length + 1)),
      other.subarray(below(random, other.length + 1)),
    ]);
  },
  (bytes, { random, words }) => inserted(bytes, below(random, bytes.length + 1), chosen(random, words)),
  // A word in the place of what is between two marks of JSON.
  (bytes, { random, words }) => {
    const text = bytes.toString("latin1");
    const tokens = [...text.matchAll(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[{}[\]]/g)];
    if (tokens.length === 0) return bytes;
    const { 0: token, index } = chosen(random, tokens);
    const word = chosen(random, words).toString("latin1");
    const value = chosen(random, [
      `"${word}"`,
      "null",
      "{}",
      "[]",
      "0",
      "-1",
      "1e999",
      '""',
      "true",
      `{"${word}":null}`,
      `[${token}]`,
    ]);
    return Buffer.from(text.slice(0, index) + value + text.slice(index + token.length), "latin1");
  },
];

function inserted(bytes: Buffer, at: number, what: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), what, bytes.subarray(at)]);
}

/** A short part, seldom a long one. */
function range(random: Random, length: number): [from: number, to: number] {
  const from = below(random, length + 1);
  return [from, Math.min(length, from + 1 + below(random, random() < 0.1 ? length + 1 : 16))];
}

function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

function chosen<T>(random: Random, list: readonly T[]): T {
  return list[below(random, list.length)]!;
}
