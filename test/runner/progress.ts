// Prints progress while a stage runs for minutes: comments of its tests, and once a minute that it
// still runs.
import { Writable } from "node:stream";
import { Follower } from "../lab/vm/follower.ts";
import { type Stage, tapFile } from "./stages.ts";

/** Prints a line after this time without one. */
const longestSilence = 60_000;

/** Prints progress until `end` is called. A stage with comments to print needs its TAP file. */
export class Progress {
  readonly #stage: Stage;
  readonly #say: (line: string) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #tap: Follower | undefined;
  readonly #begin = Date.now();
  #last = this.#begin;
  /** The last line of the file, if it is incomplete. */
  #unfinished = "";

  constructor(stage: Stage, say: (line: string) => void) {
    this.#stage = stage;
    this.#say = say;
    const sink = new Writable({
      write: (part, _encoding, done) => {
        this.#read(String(part));
        done();
      },
    });
    if (stage.comments) this.#tap = new Follower(tapFile(stage.name), sink);
    this.#timer = setInterval(() => this.#look(), 1000);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#tap?.read();
    this.#tap?.close();
  }

  #look(): void {
    this.#tap?.read();
    if (Date.now() - this.#last >= longestSilence) this.#tell("still runs");
  }

  #read(part: string): void {
    const lines = (this.#unfinished + part).split("\n");
    this.#unfinished = lines.pop()!;
    for (const line of lines) {
      const comment = /^ *# (?<text>.*)/.exec(line)?.groups?.["text"];
      if (comment !== undefined && this.#stage.comments?.test(comment)) this.#tell(comment);
    }
  }

  #tell(text: string): void {
    this.#last = Date.now();
    const seconds = ((this.#last - this.#begin) / 1000).toFixed(1).padStart(6);
    this.#say(`${this.#stage.name.padEnd(13)} ${"...".padEnd(6)} ${seconds} s   ${text}`);
  }
}
