// Records the calls that tests make of our executables, and compares such records.
//
// - `npm run record -- DIRECTORY [FILE...]` records the conformance and netns suites, or these
//   files.
// - `npm run record -- --compare AFTER BEFORE...` prints the calls of AFTER that no earlier record
//   holds, and those that are missing.
import { rmSync } from "node:fs";
import { resolve } from "node:path";
import { execa } from "execa";
import { compare } from "./compare.ts";

/** The maximum number of calls that are printed per file. */
const most = 5;
/** The maximum number of characters that are printed per call. The record holds the rest. */
const width = 4000;

const args = process.argv.slice(2);
if (args[0] === "--compare" && args.length >= 3) report(args[1]!, args.slice(2));
else if (args[0] !== undefined && !args[0].startsWith("-")) await record(args[0], args.slice(1));
else {
  process.stderr.write("usage: npm run record -- DIRECTORY [FILE...] | --compare AFTER BEFORE...\n");
  process.exitCode = 2;
}

async function record(directory: string, files: readonly string[]): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
  const all = ["test/**/netns/*-binding/*.test.ts", "test/**/netns/command/*.test.ts", "test/**/conformance/*.test.ts"];
  const { exitCode } = await execa(
    "node_modules/.bin/tap",
    ["--reporter=silent", "--timeout=900", ...(files.length === 0 ? all : files)],
    { reject: false, stdio: "inherit", env: { RECORD: resolve(directory), FAULTS_EVERY: "1000" } },
  );
  process.stdout.write(`recorded below ${directory}; the tests ended with ${exitCode}\n`);
}

function report(after: string, before: readonly string[]): void {
  const differences = compare(after, before);
  for (const { file, missing, added } of differences) {
    process.stdout.write(`${file}: ${missing.length} calls missing, ${added.length} new\n`);
    for (const [sign, lines] of [
      ["-", missing],
      ["+", added],
    ] as const)
      for (const line of lines.slice(0, most)) process.stdout.write(`  ${sign} ${line.slice(0, width)}\n`);
  }
  process.stdout.write(`${differences.length} files differ\n`);
  process.exitCode = differences.length === 0 ? 0 : 1;
}
