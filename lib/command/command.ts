// The interface of an operator command, such as `bridge-binding status`. Commands run if no runtime
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

/** A plugin with any conf. Without `operator` it has no journal and no plan to explain. */
// biome-ignore lint/suspicious/noExplicitAny: a type that stands for every other
export type AnyPlugin = Plugin<any, any> & Partial<Pick<OperablePlugin<any, any>, "operator">>;

/** One operator command of the programs `P`. Each is a file of its own. */
export interface Command<P extends Program = Program> {
  readonly name: string;
  /**
   * The arguments after the name, such as `[--json] <netns path | pid>`. Empty if there are none.
   */
  readonly usage: string;
  /** One line that begins with a verb. */
  readonly about: string;
  /** The options without `--help`, which every command has. */
  readonly options: readonly Option[];
  /** The maximum number of operands. Default: none. */
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
  /** The commands that moved to another program, by name. */
  readonly moved?: Readonly<Record<string, string>>;
}

/** One call of a command. */
export interface Invocation<P extends Program = Program> {
  readonly program: P;
  /** The arguments after the command's name. */
  readonly given: Given;
  /** Prints to standard output, with a line feed. */
  readonly print: (text: string) => void;
  /** Colours the text if standard output is a terminal. */
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
