// Runs a CNI plugin as a runtime does: environment, standard input, exit status, standard output.
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { beginRecording } from "../recorder/record.ts";
import { type Namespace, within } from "./namespaces.ts";

/**
 * Where the executables are that `scripts/build` makes, or others to test: the environment variable
 * DIST.
 */
export const dist = process.env["DIST"] ?? fileURLToPath(new URL("../../dist", import.meta.url));
/** Where Debian's containernetworking-plugins puts its own. */
export const debianPlugins = "/usr/lib/cni";

/** What a runtime tells a plugin. What is left out is not in its environment. */
export interface Call {
  readonly containerId?: string;
  readonly netns?: string;
  readonly ifname?: string;
  /** CNI_ARGS, such as `IgnoreUnknown=1;MAC=02:00:00:00:00:01`. */
  readonly args?: string;
  /** CNI_PATH; our executables and Debian's unless told. */
  readonly path?: string;
  /** Further variables; also overrides. */
  readonly env?: Readonly<Record<string, string>>;
  /** The namespace that the plugin itself runs in, in a node's place: ours unless told. */
  readonly node?: Namespace;
  /** A command line that the plugin's is appended to, such as strace's (faults.ts). */
  readonly under?: readonly string[];
  /** Milliseconds until it is killed; 20 s unless told. */
  readonly timeout?: number;
}

/** What the plugin answered. */
export interface Answer {
  /** The exit status; undefined where a signal ended it. */
  readonly status: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as JSON after success, if there is any. */
  readonly result?: Result;
  /** Standard output as JSON after a failure, if there is any. */
  readonly error?: Failure;
}

/** A result of ADD or VERSION, in any version's shape (SPEC.md, section 5). */
export interface Result {
  readonly cniVersion: string;
  readonly supportedVersions?: readonly string[];
  readonly interfaces?: readonly { readonly name: string; readonly mac?: string; readonly sandbox?: string }[];
  readonly ips?: readonly { readonly address: string; readonly gateway?: string; readonly interface?: number }[];
  readonly routes?: readonly { readonly dst: string; readonly gw?: string }[];
  readonly dns?: object;
}

/** A CNI error. */
export interface Failure {
  readonly cniVersion: string;
  readonly code: number;
  readonly msg: string;
  readonly details?: string;
}

/**
 * Calls a plugin: by its name among ours (`bridge-binding`), or by its path. `verb` is CNI_COMMAND;
 * `netconf` is standard input, as it is where it is text.
 * Rejects where it cannot be started or does not end in time. Standard output that is not JSON
 * gives neither result nor error.
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
  const ended = await execa(file!, args, {
    reject: false,
    extendEnv: false,
    env: environment(verb, call),
    input: typeof netconf === "string" ? netconf : JSON.stringify(netconf),
    stripFinalNewline: false,
    timeout: call.timeout ?? 20_000,
    killSignal: "SIGKILL",
  });
  const { exitCode, signal, stdout, stderr } = ended;
  if (ended.timedOut || (exitCode === undefined && signal === undefined)) throw ended;
  const { node: _, under: __, ...asked } = call;
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

/** The same, for where only success makes sense: throws what the plugin said otherwise. */
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
