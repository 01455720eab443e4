// Runs other plugins: finds them on CNI_PATH, and passes on our environment and the netconf's text
// (SPEC.md, section 4).
import { codeOf } from "../errno.ts";
import { asOne, failuresOf } from "../failures.ts";
import { isPluginName } from "./configuration.ts";
import { readResult } from "./conversion.ts";
import type { Variables } from "./environment.ts";
import { parsePath } from "./environment.ts";
import { CniError, code } from "./errors.ts";
import { decodeObject } from "./json.ts";
import type { Result } from "./results.ts";
import type { System } from "./system.ts";
import type { Verb, Version } from "./versions.ts";

/** The calls of the host that delegation needs. */
type Running = Pick<System, "stat" | "run" | "sleep">;

/** The input of a delegate. */
export interface Delegation {
  /** The file name of the executable. */
  readonly type: string;
  /** Our whole environment. CNI_COMMAND is set for each verb. */
  readonly env: Variables;
  /** The netconf as it was received. */
  readonly raw: string;
  readonly cniVersion: Version;
}

/**
 * Longer than the slowest IPAM plugin allows itself (whereabouts, 2 minutes). Shorter than
 * kubelet's limit for a pod (4 minutes).
 */
const timeout = 180_000;

/**
 * The executable may be open for writing while it is replaced. libcni retries as often, and waits
 * as long.
 */
const busy = { retries: 5, pause: 1000 } as const;

/**
 * Runs a delegate's ADD and returns its result.
 *
 * If the delegate was run and failed, or printed no valid result, runs its DEL before the failure
 * is thrown. If DEL fails too: an AggregateError, the failure first.
 */
export function delegateAdd(delegation: Delegation, system: Running): Result {
  const path = find(delegation, system);
  try {
    return resultOf(run(path, "ADD", delegation, system), delegation);
  } catch (failure) {
    if (neverRan(failure)) throw failure;
    throw asOne([failure, ...failuresOf([() => run(path, "DEL", delegation, system)])]);
  }
}

/**
 * Runs a delegate's DEL, CHECK, GC or STATUS. Throws the error that the delegate printed, or a
 * CniError 103 if it printed none.
 */
export function delegate(verb: Exclude<Verb, "ADD" | "VERSION">, delegation: Delegation, system: Running): void {
  run(find(delegation, system), verb, delegation, system);
}

/** Returns the first regular file of that name on CNI_PATH. */
function find({ type, env }: Delegation, system: Running): string {
  if (!isPluginName(type))
    throw new CniError(code.badConfiguration, `type: must be the name of a plugin, not ${JSON.stringify(type)}`);
  const directories = parsePath(env.CNI_PATH);
  if (directories.length === 0)
    throw new CniError(
      code.badEnvironment,
      "required env variables [CNI_PATH] missing",
      `needed to run the plugin ${type}`,
    );
  for (const directory of directories) {
    const path = `${directory}/${type}`;
    const mode = modeOf(path, system);
    if (mode === undefined) continue;
    if ((mode & 0o111) !== 0) return path;
    throw new CniError(code.delegate, `${path}: is not executable (mode ${mode.toString(8)})`);
  }
  throw new CniError(
    code.delegate,
    `the plugin ${type} is in none of the directories of CNI_PATH`,
    directories.join(", "),
  );
}

/** Undefined if the path is not a regular file. */
function modeOf(path: string, system: Running): number | undefined {
  try {
    const { kind, mode } = system.stat(path);
    return kind === "file" ? mode : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Returns what the delegate printed. If its exit status is not 0, throws the error that it printed.
 */
function run(path: string, verb: Verb, delegation: Delegation, system: Running): string {
  const { status, signal, stdout } = start(path, verb, delegation, system);
  if (status === 0) return stdout;
  if (signal !== undefined) throw new CniError(code.delegate, `${path}: ${verb} was ended by signal ${signal}`);
  throw (
    errorOf(stdout) ??
    new CniError(
      code.delegate,
      `${path}: ${verb} ended with status ${status} and printed no CNI error`,
      excerpt(stdout),
    )
  );
}

function start(path: string, verb: Verb, { env, raw }: Delegation, system: Running): ReturnType<System["run"]> {
  const options = { env: { ...(env as Record<string, string>), CNI_COMMAND: verb }, stdin: raw, timeout };
  for (let attempt = 0; ; attempt++) {
    try {
      return system.run(path, options);
    } catch (cause) {
      const errno = codeOf(cause);
      if (errno === "ETXTBSY" && attempt < busy.retries) system.sleep(busy.pause);
      else
        throw new CniError(errno === "ETIMEDOUT" ? code.tryAgain : code.delegate, `${path}: ${why(errno, verb)}`, "", {
          cause,
        });
    }
  }
}

/**
 * Whether the system refused to run the executable. The excluded errnos belong to one that did run.
 */
function neverRan(failure: unknown): boolean {
  const errno = codeOf((failure as Error).cause);
  return typeof errno === "string" && !["ETIMEDOUT", "EFBIG", "EILSEQ"].includes(errno);
}

function why(errno: string | undefined, verb: Verb): string {
  if (errno === "ETIMEDOUT") return `${verb} took longer than ${timeout / 1000} s and was ended`;
  if (errno === "EFBIG") return `${verb} printed more than 1 MiB`;
  if (errno === "EILSEQ") return `${verb} printed something that is not UTF-8`;
  if (errno === "ENOENT") return "cannot be run; its interpreter, or the loader that it was linked for, is missing";
  if (errno === "ENOEXEC") return "cannot be run; it is not an executable of this machine";
  if (errno === "EACCES") return "cannot be run; permission denied, or mounted noexec";
  return `${verb} could not be run (${errno ?? "no reason given"})`;
}

/** Returns the CNI error in a delegate's output. Undefined if there is none. */
function errorOf(stdout: string): CniError | undefined {
  try {
    const { code, msg, details } = decodeObject(stdout, "output");
    if (typeof code !== "number" || !Number.isInteger(code) || code < 0 || typeof msg !== "string") return undefined;
    return new CniError(code, msg, typeof details === "string" ? details : "");
  } catch {
    return undefined;
  }
}

function resultOf(stdout: string, { type, cniVersion }: Delegation): Result {
  try {
    return readResult(decodeObject(stdout, "output"), cniVersion, "output");
  } catch (cause) {
    throw new CniError(
      code.delegate,
      `the plugin ${type} succeeded, but gave no result that can be read`,
      excerpt(stdout),
      { cause },
    );
  }
}

/** The beginning of an unusable output, so that an operator sees what it is. */
function excerpt(stdout: string): string {
  if (stdout === "") return "it printed nothing";
  return `it printed ${JSON.stringify(stdout.length > 200 ? `${stdout.slice(0, 200)}…` : stdout)}`;
}
