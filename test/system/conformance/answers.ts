// The requirements for every answer: one JSON document or nothing on standard output, a matching
// exit status, and errors as the specification defines them.
import type { Answer } from "../../harness/plugin.ts";
import { versions } from "../../harness/previous-result.ts";
import { error, faultsOf, versionResult } from "./results.ts";

/**
 * Known codes: those of the specification (SPEC.md, section 5), 8 and 50 of its Go library, and
 * ours from 100 on, except 199, which means a bug in the plugin.
 */
const isKnownCode = (code: number): boolean =>
  [1, 2, 3, 4, 5, 6, 7, 8, 11, 50, 51].includes(code) || (code >= 100 && code !== 199);

/**
 * If an error has these phrases, containerd takes a failed DEL for done and never repeats it
 * (go-cni, cni.go, Remove).
 */
const takenForDone = /not found|no such file or directory/i;

/**
 * The faults of an answer to that verb (`""` for no verb). Empty if the answer is valid. Pass
 * `isText` = false if the call was not UTF-8: then quotations in the answer may hold U+FFFD.
 */
export function faultsOfAnswer(verb: string, answer: Answer, isText = true): string[] {
  const { status, signal, stdout } = answer;
  if (status === undefined) return [`was killed by ${signal}`];
  const faults: string[] = [];
  // U+FFFD means that the output was not UTF-8: no test sends that character.
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
  return stdout === "" ? [] : [`printed ${stdout} where only an exit status is expected`];
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
