// Verbs for people, run as an operator runs them: by the command line, without a runtime's
// environment.
import { execa } from "execa";
import { type Namespace, within } from "../../../harness/namespaces.ts";
import { dist } from "../../../harness/plugin.ts";
import { beginRecording } from "../../../recorder/record.ts";

/** What a command line came to. */
export interface Ended {
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ByHandOptions {
  /** The namespace to run in, in a node's place. */
  readonly node?: Namespace;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A command line that the plugin's is appended to. */
  readonly under?: readonly string[];
}

/** Runs a plugin of ours, or one by its path, with these arguments. Its output goes into pipes. */
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

/** The same with `--json`, and what it printed. */
export async function inJson<T>(
  plugin: string,
  [verb, ...args]: readonly [string, ...string[]],
  options?: ByHandOptions,
): Promise<{ readonly status: number | undefined; readonly told: T }> {
  const { status, stdout, stderr } = await byHand(plugin, [verb, "--json", ...args], options);
  if (stdout === "") throw new Error(`${plugin} ${verb}: ${status}: ${stderr}`);
  return { status, told: JSON.parse(stdout) };
}

/** The same on a terminal, with both outputs in one. */
export async function onTerminal(
  plugin: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  // Python's, because util-linux's script writes a line of its own in some versions.
  const script = "import os, pty, sys; os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:]))";
  const { stdout } = await execa("python3", ["-c", script, `${dist}/${plugin}`, ...args], {
    extendEnv: false,
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", TERM: "xterm", ...env },
    input: "",
    timeout: 20_000,
  });
  return stdout.replaceAll("\r", "");
}
