// Runs operator commands by the command line, without a runtime's environment.
import { execa } from "execa";
import { type Namespace, within } from "../../../harness/namespaces.ts";
import { dist } from "../../../harness/plugin.ts";
import { beginRecording } from "../../../recorder/record.ts";

export interface Ended {
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ByHandOptions {
  /** The namespace to run in. It stands for the node's. */
  readonly node?: Namespace;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The start of the command line, to which the plugin's command line is appended. */
  readonly under?: readonly string[];
}

/**
 * Runs a plugin with these arguments. Its output goes into pipes.
 *
 * `plugin` is the name of a plugin in dist, or a path.
 */
export async function byHand(plugin: string, args: readonly string[], options: ByHandOptions = {}): Promise<Ended> {
  const { node, input = "", env = {}, under = [] } = options;
  const recording = beginRecording(under);
  const command = [...under, ...recording.under, plugin.includes("/") ? plugin : `${dist}/${plugin}`, ...args];
  const [file, ...rest] = node ? within(node, ...command) : command;
  const { exitCode, stdout, stderr } = await execa(file!, rest, {
    reject: false,
    extendEnv: false,
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...env },
    input,
    timeout: 20_000,
  });
  recording.end([plugin, ...args, input], { status: exitCode, stdout });
  return { status: exitCode, stdout, stderr };
}

/**
 * Runs a command with `--json` and parses its output.
 *
 * @throws Error if the command prints nothing
 */
export async function inJson<T>(
  plugin: string,
  [verb, ...args]: readonly [string, ...string[]],
  options?: ByHandOptions,
): Promise<{ readonly status: number | undefined; readonly told: T }> {
  const { status, stdout, stderr } = await byHand(plugin, [verb, "--json", ...args], options);
  if (stdout === "") throw new Error(`${plugin} ${verb}: ${status}: ${stderr}`);
  return { status, told: JSON.parse(stdout) };
}

/** Runs a command on a terminal. Returns standard output and standard error together. */
export async function onTerminal(
  plugin: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  // Use Python's pty: some versions of util-linux's script(1) print a line of their own.
  const script = "import os, pty, sys; os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:]))";
  const { stdout } = await execa("python3", ["-c", script, `${dist}/${plugin}`, ...args], {
    extendEnv: false,
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", TERM: "xterm", ...env },
    input: "",
    timeout: 20_000,
  });
  return stdout.replaceAll("\r", "");
}
