// The interface of an operator command, such as `bridge-binding status`, which runs if no runtime
// has set CNI_COMMAND.
import type { Plugin } from "../cni/plugin.ts";
import type { OperablePlugin } from "../plugin/operator.ts";
import type { Given, Option } from "./arguments.ts";
import type { NodeFiles } from "./installation.ts";
import type { Paint } from "./paint.ts";

/** An executable with operator commands. */
export interface Program {
  readonly name: string;
  /** What it is for, in one line. */
  readonly about: string;
}

/**
 * A plugin of any configuration. One without `operator` keeps no records and has no plan to
 * explain.
 */
// biome-ignore lint/suspicious/noExplicitAny: a type that stands for every other
export type AnyPlugin = Plugin<any, any> & Partial<Pick<OperablePlugin<any, any>, "operator">>;

/** One operator command of the programs `P`. Each is a file of its own. */
export interface Command<P extends Program = Program> {
  readonly name: string;
  /** What may follow the name, such as `[--json] <netns path | pid>`; empty if nothing may. */
  readonly usage: string;
  /** What it does, in one line that begins with a verb. */
  readonly about: string;
  /** Its options, without `--help`, which every command has. */
  readonly options: readonly Option[];
  /** How many operands may follow. Default: none. */
  readonly operands?: number;
  /** More lines for the command's own `--help`. */
  readonly more?: readonly string[];
  /**
   * Returns the exit status.
   * @throws UsageError if the command line is wrong, any other error if the work failed
   */
  run(invocation: Invocation<P>): number;
}

/** The commands of a program. */
export interface CommandSet<P extends Program> {
  readonly commands: readonly Command<P>[];
  /** A line for `--help` about what else calls the program. */
  readonly intro?: string;
  /** Commands that another program has now, by name. */
  readonly moved?: Readonly<Record<string, string>>;
}

/** One call of a command. */
export interface Invocation<P extends Program = Program> {
  readonly program: P;
  /** What followed the command's name. */
  readonly given: Given;
  /** Prints to standard output, with a line feed. */
  readonly print: (text: string) => void;
  /** Colours what is printed if standard output is a terminal. */
  readonly paint: Paint;
  readonly terminal: Terminal;
}

/** What commands need from the host. Tests pass a terminal of their own. */
export type Terminal = NodeFiles &
  Pick<
    typeof import("host"),
    "awaitEnd" | "env" | "isTerminal" | "openNetns" | "readStdin" | "sha256" | "writeStderr" | "writeStdout"
  >;

/** The exit statuses of all operator commands. */
export const exit = { healthy: 0, findings: 1, usage: 2, failed: 3 } as const;
