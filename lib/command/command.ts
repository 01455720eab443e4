// What a verb for people is: `bridge-binding status`, where no runtime has set CNI_COMMAND.
import type { Plugin } from "../cni/plugin.ts";
import type { Sight } from "../diagnosis/survey.ts";
import type { OperablePlugin } from "../plugin/operator.ts";
import type { Given, Option } from "./arguments.ts";
import type { NodeFiles } from "./installation.ts";
import type { Paint } from "./paint.ts";

/** A plugin of any configuration. One without `operator` keeps no records and has no plan to explain. */
// biome-ignore lint/suspicious/noExplicitAny: a type that stands for every other
export type AnyPlugin = Plugin<any, any> & Partial<Pick<OperablePlugin<any, any>, "operator">>;

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

/** What commands need from the host. Tests pass a terminal of their own. */
export type Terminal = NodeFiles &
  Pick<
    typeof import("host"),
    "awaitEnd" | "env" | "isTerminal" | "openNetns" | "readStdin" | "sha256" | "writeStderr" | "writeStdout"
  > & {
    /** Surveys the pod at a namespace's path, with the records in the directories. Changes nothing. */
    lookAt(path: string, directories: readonly string[]): Sight;
  };

/** The exit statuses of all verbs for people. */
export const exit = { healthy: 0, findings: 1, usage: 2, impossible: 3 } as const;
