// Test files of the host's, run in machines: what each says is a subtest here, and there, where
// nothing is missing, nothing may be skipped.
import { relative } from "node:path";
import { Readable } from "node:stream";
import type { Test } from "tap";
import { seed } from "../../harness/seed.ts";
import { tapTally } from "../../runner/tally.ts";
import { type MachineOptions, type Outcome, type RunOptions, startMachine } from "./machine.ts";
import { checkout } from "./qemu.ts";

/** The machines, and what all files are run with. */
export interface SuiteOptions extends MachineOptions, RunOptions {
  /** How many machines share the work; one unless told. An emulated one fills a CPU. */
  readonly machines?: number;
}

/**
 * Runs them all, one after another in each machine, whatever fails; a file that does not end in
 * time (10 minutes unless told) fails.
 */
export async function runInside(
  t: Test,
  files: readonly string[],
  { machines = 1, name, ...options }: SuiteOptions,
): Promise<void> {
  t.not(files.length, 0, "there are files to run");
  const waiting = [...files];
  const work = async (number: number): Promise<void> => {
    const machine = await startMachine(t, { ...options, name: machines === 1 ? name : `${name}-${number}` });
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const outcome = await machine
        .attemptTest(file, { ...options, env: { TEST_SEED: `${seed}`, ...options.env } })
        .catch((error: Error) => error);
      if (outcome instanceof Error) t.fail(`${shortName(file)}: ${outcome.message}`);
      else await tell(t, shortName(file), outcome);
      if (machine.ended) return;
    }
  };
  await Promise.all(Array.from({ length: machines }, (_, index) => work(index + 1)));
  for (const file of waiting) t.fail(`${shortName(file)}: no machine is left to run it`);
}

function shortName(file: string): string {
  return relative(`${checkout}/test`, file);
}

async function tell(t: Test, name: string, { status, stdout, stderr, milliseconds }: Outcome): Promise<void> {
  t.comment(`${name}: ${(milliseconds / 1000).toFixed(0)} s`);
  await t.stdin(name, { tapStream: Readable.from([stdout]) });
  const skipped = tapTally(stdout).skipped.map((skip) => `${skip.name}: ${skip.reason}`);
  // Not what it says as TAP alone: it may have died after that.
  t.same({ status, skipped }, { status: 0, skipped: [] }, `${name} passes, and skips nothing`, { stderr });
}
