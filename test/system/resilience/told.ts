// What a call that met a failure has to answer, and to leave.
import type { Test } from "tap";
import type { Answer } from "../../harness/plugin.ts";
import type { Failure } from "./errnos.ts";
import type { Ground } from "./subject.ts";

const done = { status: 0, stdout: "", signal: undefined };

/** What is expected of a call, and what a test says of it. */
interface Expected extends Pick<Failure, "outcome" | "says"> {
  readonly what: string;
}

/**
 * How a call may end: by one of the words of {@link Failure.outcome}, or `silent` where it failed
 * and said nothing of the errno.
 */
function ending({ status, signal, stdout, stderr, error }: Answer, says: RegExp): string {
  if (status === 0) return "outlived";
  if (signal === "SIGABRT") return "ended";
  // Where standard output failed, standard error has it.
  const named = error === undefined ? says.test(stderr) : Number.isInteger(error.code) && says.test(stdout);
  return named ? "told" : `silent: ${status ?? signal} ${stdout}${stderr}`;
}

/** Sees that ADD told or outlived it: what it outlived is whole, and goes with DEL. */
export async function addTold(
  t: Test,
  { attachment }: Ground,
  answer: Answer,
  { outcome, says, what }: Expected,
): Promise<void> {
  const found = ending(answer, says);
  if (outcome !== "either" || !["told", "outlived"].includes(found)) t.equal(found, outcome, what);
  if (found === "outlived") t.match(await attachment.check(), done, `${what}: all of it`);
  if (found !== "told") t.match(await attachment.run("DEL"), done, what);
}

/**
 * Sees that DEL told or outlived it. What it told of is on record, where there is anything left,
 * and goes with the next one.
 */
export async function delTold(
  t: Test,
  { attachment, differences }: Ground,
  answer: Answer,
  { outcome, says, what }: Expected,
): Promise<void> {
  const found = ending(answer, says);
  if (outcome !== "either" || !["told", "outlived"].includes(found)) t.equal(found, outcome, what);
  if (found === "outlived") return;
  t.notMatch(answer.stdout, /not found|no such file or directory/i, "containerd takes these words for success");
  if ((await attachment.journal()).length === 0) t.same(await differences(), [], `${what}: nothing on record`);
  t.match(await attachment.run("DEL"), done, what);
}
