// What is demanded of every answer, whatever was asked: one JSON document on standard output or
// nothing, an exit status that fits, errors as specified.
import type { Answer } from "../../harness/plugin.ts";
import { versions } from "../../harness/previous-result.ts";
import { error, faultsOf, versionResult } from "./results.ts";

/**
 * The specification's (SPEC.md, section 5), 8 and 50 of its Go library, and from 100 on ours, but
 * for what says that our program is at fault.
 */
const isKnownCode = (code: number): boolean =>
  [1, 2, 3, 4, 5, 6, 7, 8, 11, 50, 51].includes(code) || (code >= 100 && code !== 199);

/**
 * By these words containerd takes a failed DEL for done and never calls again (go-cni, cni.go,
 * Remove).
 */
const takenForDone = /not found|no such file or directory/i;

/**
 * Says what is wrong with an answer to that verb, `""` for none. Nothing if it is right. Where the
 * call was no UTF-8 `isText` is false: what is quoted of it may hold U+FFFD.
 */
export function faultsOfAnswer(verb: string, answer: Answer, isText = true): string[] {
  const { status, signal, stdout } = answer;
  if (status === undefined) return [`was ended by ${signal}`];
  const faults: string[] = [];
  // What is decoded as the replacement character was no UTF-8; nobody sends one.
  if (isText && stdout.includes("\ufffd")) faults.push("standard output is not UTF-8");
  if (stdout !== "" && !/^[^\n]+\n$/.test(stdout)) faults.push("standard output is not one line");
  if (status === 0) faults.push(...faultsOfSuccess(verb, answer));
  else faults.push(...faultsOfFailure(verb, answer));
  return faults;
}

function faultsOfSuccess(verb: string, { stdout, result }: Answer): string[] {
  if (verb === "VERSION") return faultsOf(versionResult, result);
  if (verb === "ADD")
    return versions.includes(result?.cniVersion ?? "") ? [] : [`ADD succeeded and printed ${stdout || "nothing"}`];
  return stdout === "" ? [] : [`printed ${stdout} where only an exit status is due`];
}

function faultsOfFailure(verb: string, { stdout, error: found }: Answer): string[] {
  if (stdout === "") return ["failed without a word"];
  const faults = faultsOf(error, found);
  if (faults.length > 0) return faults;
  const { code, msg, details = "" } = found!;
  return [
    ...(isKnownCode(code) ? [] : [`code is ${code}: ${msg} ${details}`]),
    ...(verb === "DEL" && takenForDone.test(`${msg} ${details}`) ? [`containerd takes ${msg} for success`] : []),
  ];
}
