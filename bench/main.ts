// Measures our plugins beside others', interleaved in random order, each life of a pod in
// namespaces of its own, and says which targets are met.
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { availableParallelism, release } from "node:os";
import { parseArgs } from "node:util";
import { execa } from "execa";
import { ip } from "../test/harness/ip.ts";
import { createNamespace, createNamespaces, type Namespace, removeNamespaces } from "../test/harness/namespaces.ts";
import { type Scope, withScope } from "../test/harness/scope.ts";
import { limitsTable } from "./limits.ts";
import { type Measurement, measure, type Outcome, prepareMeasuring } from "./measure.ts";
import { type Circumstances, measurementsFile, page, table } from "./report.ts";
import { shuffled } from "./statistics.ts";
import { contests, environment, journalOf, type Subject } from "./subjects.ts";
import { type Results, type Row, verdict } from "./targets.ts";

const { values: options } = parseArgs({
  options: {
    runs: { type: "string" },
    check: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
});
// Memory and size are the same in every run, so a check of the budgets needs few runs.
const runs = Number(options.runs ?? (options.check ? 10 : 100));
if (!(Number.isInteger(runs) && runs > 0)) {
  process.stderr.write(`--runs: ${options.runs}, expected a positive number\n`);
  process.exit(2);
}
/**
 * Number of rounds whose namespaces are created together and removed together.
 *
 * Creating and removing namespaces must not disturb the measurements.
 */
const batch = 10;

const printed: string[] = [];

await withScope(async (scope) => {
  await prepareMeasuring();
  const state = await mkdtemp("/run/bench-");
  scope.teardown(() => rm(state, { recursive: true }));
  const matches = contests(state);
  for (const { ours } of matches)
    scope.teardown(() => rm(journalOf(ours.name, state), { recursive: true, force: true }));
  const all = matches.flatMap(({ ours, peers }) => [ours, ...peers]);
  const node = await createNamespace(scope);
  await ip(node, "link set lo up");

  const measured = new Map<string, Row & { measurements: Measurement[] }>();
  const remarks = new Set<string>();
  const record = ({ name: subject }: Subject, verb: string, { measurement, stderr }: Outcome): void => {
    const row = measured.get(`${verb} ${subject}`) ?? { subject, verb, measurements: [] };
    row.measurements.push(measurement);
    measured.set(`${verb} ${subject}`, row);
    // Prints each remark once. Drops the text that differs from call to call. Of Go's log lines
    // this is the time at the start. Of our log line it is all except its warning.
    for (const line of stderr.split("\n"))
      remarks.add(line.replace(/^[\d/]+ [\d:]+ /, "").replace(/^time=.* plugin=(\S+) .* warning="(.*)"$/, "$1: $2"));
  };
  const bench = { scope, node, subjects: all, record };

  // The first life of each subject does not count: it warms caches, and bridge creates its bridge.
  await rounds({ ...bench, record: () => undefined }, 1);
  for (let left = runs; left > 0; left -= batch) {
    await rounds(bench, Math.min(left, batch));
    if (process.stderr.isTTY) process.stderr.write(`\r${runs - Math.max(0, left - batch)} of ${runs} runs`);
  }
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");

  const results: Results = {
    rows: [...measured.values()],
    sizes: await Promise.all(
      all.map(async ({ name, executable }) => ({ subject: name, bytes: (await stat(executable)).size })),
    ),
  };
  print(`${runs} runs of each, interleaved in random order.\nWhole process, from fork to exit.\n`);
  for (const { ours, peers, targets } of matches) {
    const names = [...peers, ours].map(({ name }) => name);
    print(`${table(results, names, ["VERSION", "ADD", "CHECK", "DEL"])}\n`);
    for (const target of targets) {
      const found = verdict(target, results, ours.name, peers[0]?.name);
      if (found !== undefined) print(`- ${found.line}`);
      if (options.check && found?.budget && !found.met) process.exitCode = 1;
    }
    print("");
  }
  if (!options.check) {
    print("Within 50 MiB and 100m CPU, as Multus's thick plugin has them for all of its plugins together:\n");
    for (const { ours, peers } of matches)
      if (ours.verbs.includes("ADD")) print(`${await limitsTable(node, [...peers, ours], Math.ceil(runs / 20))}\n`);
  }
  for (const line of remarks) if (line !== "") process.stdout.write(`said: ${line}\n`);
});
if (options.write) await writeFile(measurementsFile, page(printed, await measuredOn()));

/** What the numbers depend on. Throws if the executables are not those of a commit. */
async function measuredOn(): Promise<Circumstances> {
  const { stdout: changes } = await execa("git", ["status", "--porcelain", "--", "lib", "plugins", "commands", "host"]);
  if (changes !== "") throw new Error(`--write: commit these first:\n${changes}`);
  const { stdout: commit } = await execa("git", ["rev-parse", "--short=12", "HEAD"]);
  return { date: new Date().toISOString().slice(0, 10), commit, runs, kernel: release(), cpus: availableParallelism() };
}

interface Bench {
  readonly scope: Scope;
  readonly node: Namespace;
  readonly subjects: readonly Subject[];
  readonly record: (subject: Subject, verb: string, outcome: Outcome) => void;
}

/**
 * Runs every subject through the life of a pod `count` times, in a new random order for each round.
 */
async function rounds({ scope, node, subjects, record }: Bench, count: number): Promise<void> {
  const pods = await createNamespaces(scope, count * subjects.length);
  const lives = subjects.map((subject, index) => ({ subject, pods: pods.slice(index * count, (index + 1) * count) }));
  for (const life of lives) await life.subject.prepare(node, life.pods);
  for (let round = 0; round < count; round += 1) {
    for (const { subject, pods: own } of shuffled(lives)) {
      await live(subject, node, own[round]!, (verb, outcome) => record(subject, verb, outcome));
    }
  }
  await removeNamespaces(pods);
}

async function live(
  subject: Subject,
  node: Namespace,
  pod: Namespace,
  record: (verb: string, outcome: Outcome) => void,
): Promise<void> {
  const { executable, netconf } = subject;
  let { prevResult } = subject;
  for (const verb of ["VERSION", ...subject.verbs]) {
    const outcome = await measure({
      executable,
      env: environment(subject, verb, pod),
      node,
      netconf: { ...netconf, ...(prevResult && { prevResult }) },
    });
    record(verb, outcome);
    if (verb === "ADD") prevResult = JSON.parse(outcome.stdout);
  }
}

function print(text: string): void {
  printed.push(text);
  process.stdout.write(`${text}\n`);
}
