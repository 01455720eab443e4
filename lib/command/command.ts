// What a verb for people is: `bridge-binding status`, where no runtime has set CNI_COMMAND.
import type { Plugin } from "../cni/plugin.ts";
import type { Sight } from "../diagnosis/survey.ts";
import type { Given, Option } from "./arguments.ts";
import type { NodeFiles } from "./installation.ts";
import type { Paint } from "./paint.ts";

/** A plugin of any configuration. */
// biome-ignore lint/suspicious/noExplicitAny: a type that stands for every other
export type AnyPlugin = Plugin<any, any>;

/** One verb for people. A file of this folder each; commands.ts lists them. */
export interface Command {
  readonly name: string;
  /** What may follow the name, such as `[--json] <netns path | pid>`; empty where nothing may. */
  readonly usage: string;
  /** What it does, in one line. */
  readonly about: string;
  /** What it takes beside `--help`, which every verb has. */
  readonly options: readonly Option[];
  /** How many arguments may follow that are no options; none unless told. */
  readonly operands?: number;
  /** More to know, in lines, for the verb's own `--help`. */
  readonly more?: readonly string[];
  /** Gives the exit status. Throws a {@link UsageError} where it was called wrongly, anything else where it could not be done. */
  run(invocation: Invocation): number;
}

/** One call of a command. */
export interface Invocation {
  readonly plugin: AnyPlugin;
  /** What followed the command's name. */
  readonly given: Given;
  /** Prints to standard output, a line feed added. */
  readonly print: (text: string) => void;
  /** Colours what is printed, where that is a terminal. */
  readonly paint: Paint;
  readonly terminal: Terminal;
}

/** What a command line asks of the system: calls of `host`, by which tests put their own in its place. */
export interface Terminal extends NodeFiles {
  env(): Record<string, string>;
  /** All of standard input; EFBIG beyond `limit` bytes, EILSEQ if it is not UTF-8. */
  readStdin(limit: number): string;
  readFile(path: string, options?: { readonly limit?: number }): string;
  /** From its first call on no signal ends the process: whether one that would has come, waited for up to that many milliseconds. */
  awaitEnd(timeout: number): boolean;
  writeStdout(text: string): void;
  writeStderr(text: string): void;
  isTerminal(fd: number): boolean;
  stat(path: string): {
    readonly device: number;
    readonly inode: number;
    readonly kind: string;
    readonly mode: number;
    readonly uid: number;
  };
  /** EINVAL where the path is something else. */
  openNetns(path: string): number;
  sha256(text: string): string;
  /** Looks at the pod at a network namespace's path, with the records in the directories. Changes nothing; throws where it cannot. */
  lookAt(path: string, directories: readonly string[]): Sight;
}

/** The command line is not one that the command takes: what is wrong with it, and what is expected. Exit status 2. */
export class UsageError extends Error {}

/** The exit statuses of all verbs for people. */
export const exit = { healthy: 0, findings: 1, usage: 2, impossible: 3 } as const;
