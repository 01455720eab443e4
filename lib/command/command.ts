// What a verb for people is: `bridge-binding status`, where no runtime has set CNI_COMMAND.
import type { Plugin } from "../cni/plugin.ts";
import type { System } from "./system.ts";

/** One verb for people. A file of this folder each; commands.ts lists them. */
export interface Command {
  readonly name: string;
  /** What may follow the name, such as `[--json] <netns path | pid>`; empty where nothing may. */
  readonly usage: string;
  /** What it does, in one line. */
  readonly about: string;
  /** Gives the exit status. Throws a {@link UsageError} where it was called wrongly, anything else where it could not be done. */
  run(invocation: Invocation): number;
}

/** One call of a command. */
export interface Invocation {
  // biome-ignore lint/suspicious/noExplicitAny: a plugin of any configuration
  readonly plugin: Plugin<any, any>;
  /** What followed the command's name. */
  readonly args: readonly string[];
  /** Prints to standard output, a line feed added. */
  readonly print: (text: string) => void;
  readonly system: System;
}

/** The command line is not one that the command takes: what is wrong with it, and what is expected. Exit status 2. */
export class UsageError extends Error {}
