// Turns a thrown value into a CNI error (SPEC.md, section 5, "Error").
import { codeOf } from "../errno.ts";
import { FactError } from "../fact.ts";
import { Failures, type Relation } from "../failures.ts";
import { printable, printableJson } from "../printable.ts";
import { CniError, code } from "./errors.ts";
import type { Verb, Version } from "./versions.ts";

/** An error as a runtime or an operator reads it. */
export interface Explanation {
  readonly code: number;
  readonly msg: string;
  /** What `msg` joins. */
  readonly faults: readonly string[];
  readonly details: string;
}

/**
 * Returns the JSON document that reports a failure to a runtime. `verb` is undefined if the call
 * failed before it was known.
 */
export function errorDocument(failure: unknown, version: Version, verb: Verb | undefined): string {
  const { code, msg, details } = explainFailure(failure);
  const forRuntime = (text: string): string => printable(verb === "DEL" ? avoidContainerdPhrases(text) : text);
  return printableJson({
    cniVersion: version,
    code,
    msg: forRuntime(msg),
    ...(details !== "" && { details: forRuntime(details) }),
  });
}

/**
 * Explains a failure.
 *
 * - The message is the error's own.
 * - The details are those of a CniError, everything that an AggregateError holds, and the causes.
 * - The code is that of a CniError. Otherwise that of the system call or of the kernel's refusal
 *   behind the failure. Of an AggregateError it is that of the first error.
 */
export function explainFailure(failure: unknown): Explanation {
  const [msg, ...details] = facts(failure) as [string, ...string[]];
  const faults = failure instanceof CniError ? failure.faults : [msg];
  return { code: cniCodeOf(failure), msg, faults, details: details.join("; ") };
}

/** Message and details in one line. */
export function inOneLine(failure: unknown): string {
  return facts(failure).join("; ");
}

/** Runs the check. Returns the faults that it throws. */
export function faultsOf(check: () => void): readonly string[] {
  try {
    check();
    return [];
  } catch (failure) {
    return explainFailure(failure).faults;
  }
}

/** How the other failures are introduced. */
const introductions = { also: "also", undo: "undoing it failed too" } as const satisfies Record<Relation, string>;

/** Returns the message, then the details. */
function facts(failure: unknown): string[] {
  // Without memory for an error the engine throws null.
  if (failure === null) return ["out of memory"];
  if (!(failure instanceof Error)) return [`${String(failure)} was thrown`];
  if (failure instanceof Failures) {
    const [first, ...others] = failure.errors as [unknown, ...unknown[]];
    return [...facts(first), ...others.map((one) => `${introductions[failure.relation]}: ${withDetails(facts(one))}`)];
  }
  const found = [messageOf(failure)];
  if (failure instanceof CniError && failure.details !== "") found.push(failure.details);
  if (cniCodeOf(failure) === code.internal) found.push(...place(failure));
  if (failure instanceof AggregateError) found.push(...failure.errors.map((one) => withDetails(facts(one))));
  if (failure.cause !== undefined)
    found.push(...facts(failure.cause).filter((fact) => !found.some((one) => one.includes(fact))));
  return found;
}

function withDetails([msg = "", ...details]: readonly string[]): string {
  return details.length === 0 ? msg : `${msg} (${details.join("; ")})`;
}

/**
 * Returns the message. Names the class of an error of the language itself, because no code of ours
 * threw it.
 */
function messageOf(failure: Error): string {
  const name = cniCodeOf(failure) === code.internal ? `${failure.name}: ` : "";
  return name + (failure.message === "" ? "failed without a message" : failure.message);
}

/** The first line of the stack, such as `at plan (bridge-binding.js:12:3)`. */
function place({ stack }: Error): string[] {
  const frame = /^\s*(at .*)$/m.exec(stack ?? "");
  return frame === null ? [] : [frame[1]!.trim()];
}

function cniCodeOf(failure: unknown): number {
  if (failure instanceof CniError) return failure.code;
  if (!(failure instanceof Error)) return code.internal;
  if (failure instanceof AggregateError && failure.errors.length > 0) return cniCodeOf(failure.errors[0]);
  const errno = codeOf(failure);
  if (errno !== undefined) return codeOfErrno(errno, "syscall" in failure ? String(failure.syscall) : undefined);
  if (failure.cause instanceof Error) return cniCodeOf(failure.cause);
  // A plain error says what is in the way. An error of the language itself is a fault of ours.
  const isPlain = failure.name === "Error" || failure instanceof AggregateError || failure instanceof FactError;
  return isPlain ? code.obstructed : code.internal;
}

/** The kernel refuses a change by netlink, which is no system call of its own, or by ioctl. */
function codeOfErrno(errno: string, syscall: string | undefined): number {
  if (errno === "EAGAIN" || errno === "EINTR" || errno === "ETIMEDOUT") return code.tryAgain;
  return syscall === undefined || syscall.startsWith("ioctl") ? code.refused : code.io;
}

/**
 * Replaces the words by which containerd takes a failed DEL for done: "not found", or, without a
 * namespace, "no such file or directory" (go-cni, cni.go, Remove). containerd would never call DEL
 * again.
 */
function avoidContainerdPhrases(text: string): string {
  return text
    .replaceAll("not found", "missing")
    .replaceAll("no such file or directory", "the file or directory is missing");
}
