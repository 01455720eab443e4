// Fuzzing guided by coverage: an input that reaches code which none reached before is kept, and
// varied further.
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { build } from "esbuild";
import type { Told, Work } from "./worker.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const here = join(root, "test/unit/fuzz");

/** What is fuzzed: the files of targets/, each with inputs to begin with in a folder of corpus/. */
export const targets: readonly string[] = readdirSync(join(here, "targets"))
  .filter((name) => name.endsWith(".ts"))
  .map((name) => name.slice(0, -".ts".length));

/** How long one input may take, in milliseconds. */
const patience = 5000;

/** The longest input that is shown where it hangs. */
const room = 1 << 16;

export interface FuzzOptions {
  /** 30 s, and as many inputs as that is time for, unless told. */
  readonly milliseconds?: number;
  readonly inputs?: number;
  /** The same inputs come of the same seed. */
  readonly seed?: number;
  /** The inputs to begin with: those of corpus/ unless told. */
  readonly corpus?: readonly Uint8Array[];
}

/**
 * Fuzzes a target: by its name, or the path of a file that exports `fuzz`. Gives what was found; an
 * input that takes too long has failed.
 */
export async function fuzzed(target: string, options: FuzzOptions = {}): Promise<Told> {
  const { milliseconds = 30_000, inputs = Number.POSITIVE_INFINITY, seed = 1, corpus = corpusOf(target) } = options;
  const directory = mkdtempSync(join(tmpdir(), "fuzz-"));
  try {
    const bundle = join(directory, "target.cjs");
    await bundled(target.includes("/") ? target : join(here, "targets", `${target}.ts`), bundle, "cjs");
    const worker = join(directory, "worker.mjs");
    await bundled(join(here, "worker.ts"), worker, "esm");
    const progress = new SharedArrayBuffer(8 + room);
    return await watched(worker, { bundle, corpus, seed, milliseconds, inputs, progress });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The inputs that are kept for a target. */
export function corpusOf(target: string): Uint8Array[] {
  const directory = join(here, "corpus", target);
  return readdirSync(directory)
    .sort()
    .map((name) => readFileSync(join(directory, name)));
}

/** Puts inputs into a directory, each named after what it holds. */
export function keep(inputs: readonly Uint8Array[], directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (const input of inputs)
    writeFileSync(join(directory, createHash("sha256").update(input).digest("hex").slice(0, 16)), input);
}

/** Runs the thread, and ends it where one input takes longer than it may. */
async function watched(script: string, work: Work): Promise<Told> {
  const worker = new Worker(script, { workerData: work });
  const counters = new Int32Array(work.progress, 0, 2);
  let [seen, since] = [-1, Date.now()];
  return (await new Promise((resolve, reject) => {
    const timer = setInterval(() => {
      const runs = Atomics.load(counters, 0);
      if (runs !== seen) [seen, since] = [runs, Date.now()];
      // Before the first one the thread is still being started.
      if (runs === 0 || Date.now() - since < patience) return;
      const input = new Uint8Array(work.progress, 8, Math.min(room, counters[1]!)).slice();
      resolve({
        runs,
        features: 0,
        found: [],
        idle: [],
        failing: { input, failure: `hangs: took longer than ${patience} ms` },
      });
    }, 500);
    worker.once("message", resolve).once("error", reject);
    worker.once("exit", (status) => reject(new Error(`the thread ended with ${status}, and said nothing`)));
    const done = (): void => clearInterval(timer);
    worker.once("exit", done);
  }).finally(() => worker.terminate())) as Told;
}

/** A file and all that it takes as one script, in which `host` is a node in memory. */
async function bundled(entry: string, outfile: string, format: "cjs" | "esm"): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile,
    format,
    bundle: true,
    platform: "node",
    target: "node20",
    tsconfig: join(root, "test/tsconfig.json"),
    alias: { host: join(root, "test/unit/sysfs/memory-host.ts") },
    nodePaths: [join(root, "node_modules")],
    logLevel: "warning",
    plugins: format === "esm" ? [] : [places],
  });
}

/** Captures are read from beside the files that name them, wherever those have been bundled to. */
const places = {
  name: "places",
  setup: ({ onLoad }: { onLoad: (...words: never[]) => void }) =>
    (onLoad as (filter: object, load: (file: { path: string }) => object) => void)(
      { filter: /\/test\/.*\.ts$/ },
      ({ path }) => ({
        loader: "ts",
        contents: readFileSync(path, "utf8").replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href)),
      }),
    ),
};
