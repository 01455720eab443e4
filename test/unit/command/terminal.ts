// A terminal in memory: what a command line asks of the system, and what it printed.
import type { AnyPlugin, Terminal } from "../../../lib/command/command.ts";
import { commandLine } from "../../../lib/command/command-line.ts";
import type { NodeFiles } from "../../../lib/command/installation.ts";
import type { Sight } from "../../../lib/diagnosis/survey.ts";
import { sha256 } from "../diagnosis/surveys.ts";

/** What a command line came to. */
export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The paths and directories that were looked at. */
  readonly looked?: readonly (readonly string[])[];
}

/** What there is besides the arguments. */
export interface Surroundings {
  readonly env?: Record<string, string>;
  readonly stdin?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly terminal?: boolean;
  /** The pod that there is to look at. */
  readonly sight?: Sight;
}

/** A plugin with nothing to it. */
export const binding: AnyPlugin = { name: "a-binding", about: "binds" } as never;

/** Runs a command line of the plugin. */
export function run(plugin: AnyPlugin, args: readonly string[], surroundings: Surroundings = {}): Ended {
  const { env = {}, stdin = "", files = {}, terminal: shown = false, sight } = surroundings;
  const looked: string[][] = [];
  const out = { stdout: "", stderr: "" };
  const missing = (path: string): never => {
    throw Object.assign(new Error(`open ${path}: No such file or directory (ENOENT)`), { code: "ENOENT" });
  };
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
    lookAt: (path, directories) => {
      looked.push([path, ...directories]);
      return sight ?? missing(path);
    },
  };
  const status = commandLine(plugin, args, terminal as Terminal);
  return { status, ...out, ...(looked.length > 0 && { looked }) };
}
