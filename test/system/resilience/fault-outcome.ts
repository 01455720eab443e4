// Checks the answer of a call in which a system call failed, and the state that the call left.
import type { Test } from "tap";
import type { Answer } from "../../harness/plugin.ts";
import type { Failure } from "./errnos.ts";
import type { Ground } from "./subject.ts";

const done = { status: 0, stdout: "", signal: undefined };

/** The expected outcome, and the message of the assertions. */
interface Expected extends Pick<Failure, "outcome" | "says"> {
  readonly what: string;
}

/** An {@link Failure.outcome}, or `silent: …` if the call failed and did not report the errno. */
function outcomeOf({ status, signal, stdout, stderr, error }: Answer, says: RegExp): string {
  if (status === 0) return "survived";
  if (signal === "SIGABRT") return "aborted";
  // If standard output failed, the message is on standard error.
  const isNamed = error === undefined ? says.test(stderr) : Number.isInteger(error.code) && says.test(stdout);
  return isNamed ? "reported" : `silent: ${status ?? signal} ${stdout}${stderr}`;
}

/** Checks that ADD reported the error, or that its attachment is complete and DEL removes it. */
export async function checkAddAfterFault(
  t: Test,
  { attachment }: Ground,
  answer: Answer,
  { outcome, says, what }: Expected,
): Promise<void> {
  const found = outcomeOf(answer, says);
  if (outcome !== "either" || !["reported", "survived"].includes(found)) t.equal(found, outcome, what);
  if (found === "survived") t.match(await attachment.check(), done, `${what}: the attachment is complete`);
  if (found !== "reported") t.match(await attachment.run("DEL"), done, what);
}

/**
 * Checks that DEL succeeded, or that it reported the error. After an error, either a record is left
 * and the next DEL completes it, or the pod is restored.
 */
export async function checkDelAfterFault(
  t: Test,
  { attachment, differences }: Ground,
  answer: Answer,
  { outcome, says, what }: Expected,
): Promise<void> {
  const found = outcomeOf(answer, says);
  if (outcome !== "either" || !["reported", "survived"].includes(found)) t.equal(found, outcome, what);
  if (found === "survived") return;
  t.notMatch(answer.stdout, /not found|no such file or directory/i, "containerd takes these words for success");
  if ((await attachment.journal()).length === 0)
    t.same(await differences(), [], `${what}: without a record nothing is left`);
  t.match(await attachment.run("DEL"), done, what);
}
