// Follows a growing file: collects its content and passes each new part on once.
import { closeSync, openSync, readSync } from "node:fs";
import type { Writable } from "node:stream";

/** Each {@link Follower.read} continues after the last byte that was read. */
export class Follower {
  readonly #descriptor: number;
  readonly #sink: Writable | undefined;
  readonly #parts: Buffer[] = [];

  /** The file must exist. Each new part is also written to `sink`. */
  constructor(path: string, sink?: Writable) {
    this.#descriptor = openSync(path, "r");
    this.#sink = sink;
  }

  /** Reads everything that was written since the last call. */
  read(): void {
    for (;;) {
      const buffer = Buffer.allocUnsafe(65_536);
      const part = buffer.subarray(0, readSync(this.#descriptor, buffer));
      if (part.length === 0) return;
      this.#parts.push(part);
      this.#sink?.write(part);
    }
  }

  /** Everything read so far. */
  get text(): string {
    return Buffer.concat(this.#parts).toString();
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
