// Runs test files of the host in machines, each as a subtest.
//
// Tests must not be skipped there, because the machines have every feature.
import { relative } from "node:path";
import { Readable } from "node:stream";
import type { Test } from "tap";
import { seed } from "../../harness/seed.ts";
import { tapTally } from "../../runner/tally.ts";
import { type MachineOptions, type Outcome, type RunOptions, startMachine } from "./machine.ts";
import { checkout } from "./qemu.ts";

/** The machines, and the options for all files. */
export interface SuiteOptions extends MachineOptions, RunOptions {
  /**
   * The number of machines that share the files. Default: 1. An emulated machine keeps one CPU
   * busy.
   */
  readonly machines?: number;
}

/**
 * Runs all files, one after another in each machine, even if some of them fail. A file that does
 * not end in time (default: 10 minutes) fails.
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
  // Checks the exit status too, because the process may have crashed after its last TAP line.
  t.same({ status, skipped }, { status: 0, skipped: [] }, `${name} passes, and skips nothing`, { stderr });
}
