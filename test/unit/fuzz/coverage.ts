// Which code an input reaches, and how often, as V8 counts it: its precise coverage of blocks,
// asked for after every input.
import { type Profiler, Session } from "node:inspector";

/** Counts from here on. One thread has one. */
export class Coverage {
  readonly #session = new Session();
  readonly #seen = new Set<string>();
  readonly #url: string;

  /** @param url what the script under test is called; others are not looked at */
  constructor(url: string) {
    this.#url = url;
    this.#session.connect();
    this.#session.post("Profiler.enable");
    this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  /** How much of what has run since the last time had never run, or never so often. */
  fresh(): number {
    let fresh = 0;
    for (const { functionName, ranges } of this.#functions())
      for (const { startOffset, endOffset, count } of ranges) {
        // A block that runs as often as the one around it is not told of by itself: so what is left
        // out counts as well.
        const feature = `${functionName} ${startOffset}-${endOffset} ${magnitude(count)}`;
        if (this.#seen.has(feature)) continue;
        this.#seen.add(feature);
        fresh++;
      }
    return fresh;
  }

  get features(): number {
    return this.#seen.size;
  }

  #functions(): readonly Profiler.FunctionCoverage[] {
    let found: readonly Profiler.FunctionCoverage[] = [];
    // In one thread, the answer is there when the question has been asked.
    this.#session.post("Profiler.takePreciseCoverage", (failure, { result }) => {
      if (failure !== null) throw failure;
      found = result.find(({ url }) => url === this.#url)?.functions ?? [];
    });
    return found;
  }
}

function magnitude(count: number): number {
  return count < 4 ? count : 2 + Math.floor(Math.log2(count));
}
