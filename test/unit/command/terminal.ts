// A terminal in memory: what a command line asks of the host, and what it printed.
import type { AnyPlugin, CommandSet, Program, Terminal } from "../../../lib/command/command.ts";
import { commandLine } from "../../../lib/command/command-line.ts";
import { pluginCommands } from "../../../lib/command/commands.ts";
import type { NodeFiles } from "../../../lib/command/installation.ts";
import { sha256 } from "../diagnosis/surveys.ts";

/** What a command line came to. */
export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What there is besides the arguments. */
export interface Surroundings {
  readonly env?: Record<string, string>;
  readonly stdin?: string;
  readonly files?: Readonly<Record<string, string>>;
  /** Whether standard output is a terminal. */
  readonly terminal?: boolean;
}

/** A plugin without any work. */
export const binding: AnyPlugin = { name: "a-binding", about: "binds" } as never;

/** Runs a command line of the plugin. */
export function run(plugin: AnyPlugin, args: readonly string[], surroundings?: Surroundings): Ended {
  return runCommand(plugin, pluginCommands, args, surroundings);
}

/** Runs a command line of any program. */
export function runCommand<P extends Program>(
  program: P,
  set: CommandSet<P>,
  args: readonly string[],
  { env = {}, stdin = "", files = {}, terminal: shown = false }: Surroundings = {},
): Ended {
  const out = { stdout: "", stderr: "" };
  const terminal: Omit<Terminal, keyof NodeFiles | "awaitEnd"> & Pick<Terminal, "stat" | "close" | "readFile"> = {
    env: () => env,
    readStdin: () => stdin,
    readFile: (path) => files[path] ?? missing(path),
    writeStdout: (text) => {
      out.stdout += text;
    },
    writeStderr: (text) => {
      out.stderr += text;
    },
    isTerminal: () => shown,
    stat: missing,
    openNetns: missing,
    close: () => undefined,
    sha256,
  };
  return { status: commandLine(program, set, args, terminal as Terminal), ...out };
}

/** Throws as the host does for a file that is missing. */
export function missing(path: string): never {
  throw Object.assign(new Error(`open ${path}: No such file or directory (ENOENT)`), { code: "ENOENT" });
}
