// Calls a CNI plugin as a runtime does: environment, standard input, exit status, standard output.
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { beginRecording } from "../recorder/record.ts";
import { type Namespace, within } from "./namespaces.ts";

/**
 * The directory of the executables under test: the environment variable DIST, by default the output
 * of `scripts/build`.
 */
export const dist = process.env["DIST"] ?? fileURLToPath(new URL("../../dist", import.meta.url));
/** The directory of Debian's package containernetworking-plugins. */
export const debianPlugins = "/usr/lib/cni";

/** The environment of a call. A field that is undefined sets no variable. */
export interface Call {
  readonly containerId?: string;
  readonly netns?: string;
  readonly ifname?: string;
  /** CNI_ARGS, such as `IgnoreUnknown=1;MAC=02:00:00:00:00:01`. */
  readonly args?: string;
  /** CNI_PATH. Default: our executables and Debian's. */
  readonly path?: string;
  /** Further variables. They override the others. */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * The network namespace in which the plugin runs, as the node's. Default: that of this process.
   */
  readonly node?: Namespace;
  /** A prefix for the plugin's command line, such as strace's (faults.ts). */
  readonly under?: readonly string[];
  /** Milliseconds until the plugin is killed. Default: 20 s. */
  readonly timeout?: number;
  /** Receives the ID of the plugin's process, or of the first command of `under`. */
  readonly started?: (pid: number) => void;
}

export interface Answer {
  /** The exit status. Undefined if a signal ended the plugin. */
  readonly status: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as JSON after success. Undefined if it is not JSON. */
  readonly result?: Result;
  /** Standard output as JSON after a failure. Undefined if it is not JSON. */
  readonly error?: Failure;
}

/** A result of ADD or VERSION, in the format of any version (SPEC.md, section 5). */
export interface Result {
  readonly cniVersion: string;
  readonly supportedVersions?: readonly string[];
  readonly interfaces?: readonly { readonly name: string; readonly mac?: string; readonly sandbox?: string }[];
  readonly ips?: readonly { readonly address: string; readonly gateway?: string; readonly interface?: number }[];
  readonly routes?: readonly { readonly dst: string; readonly gw?: string }[];
  readonly dns?: object;
}

export interface Failure {
  readonly cniVersion: string;
  readonly code: number;
  readonly msg: string;
  readonly details?: string;
}

/**
 * Calls a plugin and returns its answer, whether it succeeds or fails.
 *
 * - `plugin`: the name of one of our plugins (`bridge-binding`), or a path.
 * - `verb`: CNI_COMMAND.
 * - `netconf`: standard input. A string is passed unchanged.
 *
 * Rejects if the plugin does not start or does not end in time.
 */
export async function callPlugin(
  plugin: string,
  verb: string,
  call: Call,
  netconf: object | string = "",
): Promise<Answer> {
  const executable = plugin.includes("/") ? plugin : `${dist}/${plugin}`;
  const recording = beginRecording(executable.startsWith(dist) ? (call.under ?? []) : undefined);
  const command = [...(call.under ?? []), ...recording.under, executable];
  const [file, ...args] = call.node ? within(call.node, ...command) : command;
  const child = execa(file!, args, {
    reject: false,
    extendEnv: false,
    env: environment(verb, call),
    input: typeof netconf === "string" ? netconf : JSON.stringify(netconf),
    stripFinalNewline: false,
    timeout: call.timeout ?? 20_000,
    killSignal: "SIGKILL",
  });
  if (child.pid !== undefined) call.started?.(child.pid);
  const ended = await child;
  const { exitCode, signal, stdout, stderr } = ended;
  if (ended.timedOut || (exitCode === undefined && signal === undefined)) throw ended;
  const { node: _, under: __, started: ___, ...asked } = call;
  recording.end(
    [
      verb,
      basename(executable),
      JSON.stringify(asked),
      typeof netconf === "string" ? netconf : JSON.stringify(netconf),
    ],
    {
      status: exitCode,
      stdout,
    },
  );
  const parsed = parse(stdout);
  const answer = { status: exitCode, signal, stdout, stderr };
  if (parsed === undefined) return answer;
  return exitCode === 0 ? { ...answer, result: parsed as Result } : { ...answer, error: parsed as Failure };
}

/** Calls a plugin as {@link callPlugin} does. Rejects with the plugin's output if it fails. */
export async function callSuccessfully(
  plugin: string,
  verb: string,
  call: Call,
  netconf: object | string = "",
): Promise<Answer> {
  const answer = await callPlugin(plugin, verb, call, netconf);
  if (answer.status !== 0)
    throw new Error(`${plugin} ${verb}: ${answer.signal ?? answer.status}\n${answer.stdout}${answer.stderr}`);
  return answer;
}

function environment(verb: string, call: Call): Record<string, string> {
  const variables = {
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    CNI_COMMAND: verb,
    CNI_CONTAINERID: call.containerId,
    CNI_NETNS: call.netns,
    CNI_IFNAME: call.ifname,
    CNI_ARGS: call.args,
    CNI_PATH: call.path ?? `${dist}:${debianPlugins}`,
    ...call.env,
  };
  return Object.fromEntries(
    Object.entries(variables).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
