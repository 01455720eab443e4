// A file that grows: what it has so far, and each new part handed on once.
import { closeSync, openSync, readSync } from "node:fs";
import type { Writable } from "node:stream";

/** Reads on from where it was each time it is asked to. */
export class Follower {
  readonly #descriptor: number;
  readonly #sink: Writable | undefined;
  readonly #parts: Buffer[] = [];

  /** The file has to be there; each new part goes to `sink`, too. */
  constructor(path: string, sink?: Writable) {
    this.#descriptor = openSync(path, "r");
    this.#sink = sink;
  }

  /** Takes what is new. */
  read(): void {
    for (;;) {
      const buffer = Buffer.allocUnsafe(65_536);
      const part = buffer.subarray(0, readSync(this.#descriptor, buffer));
      if (part.length === 0) return;
      this.#parts.push(part);
      this.#sink?.write(part);
    }
  }

  /** Everything so far. */
  get text(): string {
    return Buffer.concat(this.#parts).toString();
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
