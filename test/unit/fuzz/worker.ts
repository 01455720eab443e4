// Tries inputs on a target, keeps those that reach something new, and ends with the first that
// fails. A thread of its own, so that another can see it hang.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { parentPort, workerData } from "node:worker_threads";
import { Coverage } from "./coverage.ts";
import { mutated, randomOf } from "./mutations.ts";

/** What the thread is given. */
export interface Work {
  /** The target and all that it is about, as one script. */
  readonly bundle: string;
  readonly corpus: readonly Uint8Array[];
  readonly seed: number;
  /**
   * How long to go on, and after how many inputs to end if that is sooner, those of the corpus
   * apart.
   */
  readonly milliseconds: number;
  readonly inputs: number;
  /**
   * Seen by the other thread: how many inputs were begun, the length of the current one, and it.
   */
  readonly progress: SharedArrayBuffer;
}

/** What it tells when it ends. */
export interface Told {
  readonly runs: number;
  readonly features: number;
  /** Inputs that reached something that none of the corpus reaches. */
  readonly found: readonly Uint8Array[];
  /** Which of the corpus reach nothing that those before them do not. */
  readonly idle: readonly number[];
  readonly failing?: { readonly input: Uint8Array; readonly failure: string };
}

const { bundle, corpus: given, seed, milliseconds, inputs, progress }: Work = workerData;
const [counters, current] = [new Int32Array(progress, 0, 2), new Uint8Array(progress, 8)];
const { fuzz } = createRequire(import.meta.url)(bundle) as { fuzz: (data: Buffer) => void };
const coverage = new Coverage(`file://${bundle}`);
const corpus: Buffer[] = [];
const found: Buffer[] = [];
const idle: number[] = [];
let runs = 0;

parentPort!.postMessage(told());

function told(): Told {
  for (const [position, bytes] of given.entries()) {
    const input = Buffer.from(bytes);
    const failure = failureOf(input);
    if (failure !== undefined) return ending({ input, failure });
    if (coverage.fresh() === 0) idle.push(position);
    corpus.push(input);
  }
  if (corpus.length === 0) corpus.push(Buffer.alloc(8));
  const random = randomOf(seed);
  const words = wordsOf(readFileSync(bundle, "utf8"));
  const end = performance.now() + milliseconds;
  for (let left = inputs; left > 0 && performance.now() < end; left--) {
    const input = mutated({ random, corpus, words });
    const failure = failureOf(input);
    if (failure !== undefined) return ending({ input, failure });
    if (coverage.fresh() === 0) continue;
    corpus.push(input);
    found.push(input);
  }
  return ending();
}

function ending(failing?: NonNullable<Told["failing"]>): Told {
  return { runs, features: coverage.features, found, idle, ...(failing !== undefined && { failing }) };
}

function failureOf(input: Buffer): string | undefined {
  current.set(input.subarray(0, current.length));
  counters[1] = input.length;
  Atomics.store(counters, 0, ++runs);
  try {
    fuzz(input);
    return undefined;
  } catch (failure) {
    return failure instanceof Error ? `${failure.stack}` : `${failure} was thrown`;
  }
}

/** The strings and numbers that stand in the code, which are what it compares with. */
function wordsOf(script: string): Buffer[] {
  const texts = [...script.matchAll(/"((?:[^"\\\n]|\\.){1,40})"|\b([a-zA-Z]{3,20}):/g)].map(
    ([, text, key]) => text ?? key!,
  );
  return [...new Set(texts)].map((text) => Buffer.from(text));
}
