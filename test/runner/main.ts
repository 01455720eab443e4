// Runs the named stages. Without a name: all except the rare ones. With --all: those too. Prints a
// line for each stage, the failures in full, and a last line that counts.
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { namespaceNames, ownerOf } from "../harness/namespaces.ts";
import { seed } from "../harness/seed.ts";
import { Progress } from "./progress.ts";
import { logDirectory, type Stage, stages, tapFile } from "./stages.ts";
import {
  cargoTally,
  closingLine,
  failedFiles,
  flaky,
  forbidden,
  judged,
  nothing,
  sum,
  type Tally,
  tapFailures,
  tapTally,
  unknownFlakes,
} from "./tally.ts";

const allowedSkips = "test/allowed-skips.txt";
const knownFlakes = "test/known-flakes.txt";
/** The maximum number of lines of a failed stage that are printed. Its log has the rest. */
const shownLines = 200;

/** Includes the directory of Go's own archive. */
const programPath = `${process.env["PATH"]}:/usr/local/go/bin`;

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const wanted = chosen(process.argv.slice(2));
process.env["TEST_SEED"] = `${seed}`;
say(`TEST_SEED=${seed}`);
mkdirSync(logDirectory, { recursive: true });
const before = inventory();
const results = new Map<string, Tally>();
const flakes: string[] = [];
for (const stage of wanted) {
  const started = Date.now();
  const { tally, output } = await runTwice(stage);
  results.set(stage.name, tally);
  report(stage.name, tally, Date.now() - started);
  if (tally.failed.length > 0) say(output.trimEnd().replaceAll(/^/gm, "    "));
}
const left = inventory().filter((name) => !before.includes(name));
const leftovers: Tally = left.length > 0 ? { ...nothing, failed: ["leftovers"] } : { ...nothing, passed: 1 };
report("leftovers", leftovers, 0);
for (const name of left) say(`    ${name}: was not there before the tests, expected them to clean up`);

const newFlakes = unknownFlakes(flakes, readFileSync(knownFlakes, "utf8"));
const total = sum([...results.values(), leftovers, { ...nothing, failed: newFlakes }]);
const surprises = forbidden(total.skipped, readFileSync(allowedSkips, "utf8"));
for (const name of total.failed) say(`failed: ${name}`);
for (const name of flakes) say(`flaky: ${name}`);
for (const name of newFlakes) say(`not allowed to be flaky: ${name}: fix it, or name it in ${knownFlakes}`);
for (const { name, reason } of total.skipped) say(`skipped: ${name} (${reason})`);
for (const { name } of surprises) say(`not allowed to be skipped: ${name}: make it run, or name it in ${allowedSkips}`);
say(closingLine(total));
process.exitCode = total.failed.length > 0 || surprises.length > 0 ? 1 : 0;

function chosen(names: readonly string[]): readonly Stage[] {
  if (names.length === 0) return stages.filter(({ rare }) => !rare);
  if (names.length === 1 && names[0] === "--all") return stages;
  const unknown = names.filter((name) => !stages.some((stage) => stage.name === name));
  if (unknown.length > 0) {
    say(`${unknown.join(", ")}: no such stage, expected --all or some of ${stages.map(({ name }) => name).join(", ")}`);
    process.exit(2);
  }
  return stages.filter(({ name }) => names.includes(name));
}

/**
 * Runs a stage, and its failed files once more if the stage allows that: then the second run
 * counts. Prints both results, and which tests failed only once.
 */
async function runTwice(stage: Stage): Promise<{ tally: Tally; output: string }> {
  const first = await run(stage);
  const files = first.tally.failed.length > 0 ? failedFiles(first.tally) : undefined;
  if (stage.rerun === undefined || files === undefined) return first;
  for (const name of first.tally.failed) say(`failed at first: ${name}`);
  say(first.output.trimEnd().replaceAll(/^/gm, "    "));
  const second = await run(stage.rerun(files));
  flakes.push(...flaky(first.tally, second.tally));
  const others = tapTally(readFileSync(tapFile(stage.name), "utf8"), files);
  return { tally: sum([others, second.tally]), output: second.output };
}

async function run(stage: Stage): Promise<{ tally: Tally; output: string }> {
  const { name, needs, program } = stage;
  const needed = needs === undefined ? undefined : results.get(needs);
  const lacking = program !== undefined && !isThere(program) ? `${program} is not there` : undefined;
  const reason = lacking ?? (needed?.passed === 0 ? needed.skipped[0]?.reason : undefined);
  if (reason !== undefined) return { tally: { ...nothing, skipped: [{ name, reason }] }, output: "" };
  if (needed && needed.failed.length > 0)
    return { tally: { ...nothing, failed: [name] }, output: `not run: ${needs} failed` };
  const log = `${logDirectory}/${name}.log`;
  if (stage.counts === "tap") writeFileSync(tapFile(name), "");
  const progress = new Progress(stage, say);
  const succeeded = await execute(stage, log);
  progress.end();
  const output = readFileSync(log, "utf8");
  switch (stage.counts) {
    case "check":
      return { tally: succeeded ? { ...nothing, passed: 1 } : { ...nothing, failed: [name] }, output: end(output) };
    case "cargo":
      return { tally: judged(name, cargoTally(output), succeeded), output: end(output) };
    case "tap": {
      const tap = readFileSync(tapFile(name), "utf8");
      return {
        tally: judged(name, tapTally(tap), succeeded),
        output: `${beginning(tapFailures(tap), tapFile(name))}\n${end(output)}`,
      };
    }
  }
}

/** Whether the program exists. */
function isThere(program: string): boolean {
  return programPath.split(":").some((directory) => existsSync(`${directory}/${program}`));
}

/**
 * Runs a command, and returns whether it succeeded in time. Its output goes to the file `log`: a
 * grandchild that survives would keep a pipe open.
 */
async function execute({ command: [file, ...args], minutes }: Stage, log: string): Promise<boolean> {
  const fd = openSync(log, "w");
  try {
    const env = { ...process.env, PATH: programPath, NO_COLOR: "1", CARGO_TERM_COLOR: "never" };
    const child = spawn(file, args, { stdio: ["ignore", fd, fd], env, timeout: minutes * 60_000 });
    const [status] = await once(child, "exit");
    return status === 0;
  } catch (error) {
    writeSync(fd, `${error}\n`);
    return false;
  } finally {
    closeSync(fd);
  }
}

function report(name: string, { passed, failed, skipped }: Tally, milliseconds: number): void {
  const verdict = failed.length > 0 ? "FAILED" : "ok";
  const count = passed + failed.length + skipped.length;
  const detail = [
    count > 1 ? `${count} tests` : "",
    failed.length > 0 && count > 1 ? `${failed.length} bad` : "",
    skipped.length > 0 ? `${skipped.length} skipped` : "",
  ];
  say(
    `${name.padEnd(13)} ${verdict.padEnd(6)} ${(milliseconds / 1000).toFixed(1).padStart(6)} s   ${detail.filter(Boolean).join(", ")}`.trimEnd(),
  );
}

/**
 * Returns what tests may have left on the machine: namespaces of ended test processes, links in the
 * machine's own namespace with our names, and records.
 */
function inventory(): string[] {
  return [
    ...namespaceNames()
      .filter((name) => ownerOf(name) === "gone")
      .map((name) => `namespace ${name}`),
    ...readdirSync("/sys/class/net")
      .filter((name) => /^(k6t-|tap|pod[0-9a-f]{11}$)|-nic$/.test(name))
      .map((name) => `link ${name}`),
    ...["bridge-binding", "passt-binding", "sriov-vfio"].flatMap((plugin) =>
      (existsSync(`/run/${plugin}`) ? readdirSync(`/run/${plugin}`) : [])
        .filter((name) => name.startsWith("test-"))
        .map((name) => `record directory /run/${plugin}/${name}`),
    ),
  ];
}

function beginning(text: string, file: string): string {
  const lines = text.split("\n");
  const rest = lines.length - shownLines;
  return rest > 0 ? [...lines.slice(0, shownLines), `(${rest} lines more: see ${file})`].join("\n") : text;
}

function end(output: string): string {
  return output.trimEnd().split("\n").slice(-shownLines).join("\n");
}
