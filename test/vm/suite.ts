// Test files of the host's, run in one machine: what each says is a subtest here, and there, where nothing is missing, nothing may be skipped.
import { relative } from "node:path";
import { Readable } from "node:stream";
import type { Test } from "tap";
import { tapTally } from "../../scripts/testing/tally.ts";
import type { Machine, Outcome, RunOptions } from "./machine.ts";
import { checkout } from "./qemu.ts";

export interface SuiteOptions extends RunOptions {
  /** How many files run side by side; one unless told. */
  readonly atOnce?: number;
}

/** Runs them all, whatever fails; a file that does not end in time (10 minutes unless told) fails. */
export async function runInside(
  t: Test,
  machine: Machine,
  files: readonly string[],
  { atOnce = 1, ...options }: SuiteOptions = {},
): Promise<void> {
  t.not(files.length, 0, "there are files to run");
  const waiting = [...files];
  const work = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const name = relative(`${checkout}/test`, file);
      const outcome = await machine.attemptTest(file, options).catch((error: Error) => error);
      if (outcome instanceof Error) t.fail(`${name}: ${outcome.message}`);
      else await tell(t, name, outcome);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

async function tell(t: Test, name: string, { status, stdout, stderr, milliseconds }: Outcome): Promise<void> {
  t.comment(`${name}: ${(milliseconds / 1000).toFixed(0)} s`);
  await t.stdin(name, { tapStream: Readable.from([stdout]) });
  const skipped = tapTally(stdout).skipped.map((skip) => `${skip.name}: ${skip.reason}`);
  // Not what it says as TAP alone: it may have died after that.
  t.same({ status, skipped }, { status: 0, skipped: [] }, `${name} passes, and skips nothing`, { stderr });
}
