// Counts what test runners report: TAP of any depth, and cargo's lines.
import { Parser } from "tap-parser";

/** A skipped test. */
export interface Skip {
  /**
   * Its full name: `test/system/netns/bridge.test.ts > a VLAN trunk reaches the guest`, or `host:
   * calls::tap`.
   */
  readonly name: string;
  readonly reason: string;
}

/** The result of a run. */
export interface Tally {
  readonly passed: number;
  /** The full names of the failed tests. */
  readonly failed: readonly string[];
  readonly skipped: readonly Skip[];
}

export const nothing: Tally = { passed: 0, failed: [], skipped: [] };

export function sum(tallies: readonly Tally[]): Tally {
  return {
    passed: tallies.reduce((total, { passed }) => total + passed, 0),
    failed: tallies.flatMap(({ failed }) => failed),
    skipped: tallies.flatMap(({ skipped }) => skipped),
  };
}

/**
 * Returns a command's tally. If the command failed and no test did (a crash, a file that does not
 * compile, no tests at all), it has one more failure, by the name of the command.
 */
export function judged(name: string, reported: Tally, succeeded: boolean): Tally {
  const ran = reported.passed + reported.failed.length + reported.skipped.length;
  const unexplained = succeeded ? ran === 0 : reported.failed.length === 0;
  return unexplained ? { ...reported, failed: [...reported.failed, name] } : reported;
}

/**
 * Returns the skips that are not allowed. `allowed` is the text of a list of tests. No skip below
 * test/lab is allowed: the lab has what other machines lack.
 */
export function forbidden(skipped: readonly Skip[], allowed: string): Skip[] {
  const isListed = listed(allowed);
  return skipped.filter(({ name }) => name.startsWith("test/lab/") || !isListed(name));
}

/** Returns the tests that failed in the first run and not in the second. */
export function flaky(first: Tally, second: Tally): string[] {
  return first.failed.filter((name) => !second.failed.includes(name));
}

/** Returns the flaky tests that `known`, the text of a list of tests, lacks. */
export function unknownFlakes(names: readonly string[], known: string): string[] {
  const isListed = listed(known);
  return names.filter((name) => !isListed(name));
}

/**
 * Reads a list of tests. A line holds a full name, ` # ` and a reason. `*` stands for any text.
 * Empty lines and lines that begin with # are comments.
 */
function listed(text: string): (name: string) => boolean {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#"));
  const patterns = lines.map((line) => {
    const parts = line.split(" # ")[0]!.trim().split("*");
    return new RegExp(`^${parts.map((part) => part.replaceAll(/[^\w\s]/g, "\\$&")).join(".*")}$`);
  });
  return (name) => patterns.some((pattern) => pattern.test(name));
}

/** Returns the closing line: `12 passed, 0 failed, 1 skipped`. */
export function closingLine({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed.length} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ""}`;
}

interface Point {
  readonly ok: boolean;
  readonly name: string;
  readonly skip?: string | boolean;
  readonly todo?: string | boolean;
}
type Event = ["child", Event[]] | ["assert", Point] | [type: string, data: unknown];

/**
 * Returns the tests in a TAP text: the innermost subtests, or the assertions if there are none.
 *
 * A test counts as skipped if one of its assertions is skipped or "to do". Files in `without` do
 * not count.
 */
export function tapTally(text: string, without: readonly string[] = []): Tally {
  return tallyEvents(Parser.parse(text) as Event[], [], without);
}

/** Returns the files with failed tests. Undefined if a failure belongs to no file. */
export function failedFiles({ failed }: Tally): string[] | undefined {
  const files = [...new Set(failed.map((name) => name.split(" > ")[0]!))];
  return files.every((file) => file.endsWith(".test.ts")) ? files : undefined;
}

function tallyEvents(events: readonly Event[], path: readonly string[], without: readonly string[] = []): Tally {
  const tallies: Tally[] = [];
  let child: Event[] | undefined;
  for (const event of events) {
    if (isChild(event)) child = event[1];
    if (!isPoint(event)) continue;
    if (!without.includes(event[1].name)) tallies.push(tallyPoint(event[1], child, path));
    child = undefined;
  }
  return sum(tallies);
}

/** A line "ok" or "not ok", with the subtest that it closes. */
function tallyPoint(point: Point, child: readonly Event[] | undefined, path: readonly string[]): Tally {
  const inner = [...path, point.name];
  const name = inner.join(" > ");
  const skip = skipped(point);
  if (skip !== undefined) return { ...nothing, skipped: [{ name, reason: skip }] };
  const points = (child ?? []).filter(isPoint).map(([, each]) => each);
  // A file is not a test, even if it has only assertions.
  if (points.length > 0 && (child!.some(isChild) || path.length === 0))
    return judgedPoint(name, point, tallyEvents(child!, inner));
  if (!point.ok) return { ...nothing, failed: [name] };
  const within = points.map(skipped).find((reason) => reason !== undefined);
  return within === undefined ? { ...nothing, passed: 1 } : { ...nothing, skipped: [{ name, reason: within }] };
}

function judgedPoint(name: string, { ok }: Point, tally: Tally): Tally {
  return ok || tally.failed.length > 0 ? tally : { ...tally, failed: [name] };
}

function skipped({ skip, todo }: Point): string | undefined {
  if (skip) return skip === true ? "no reason given" : skip;
  if (todo) return todo === true ? "to do" : `to do: ${todo}`;
  return undefined;
}

function isChild(event: Event): event is ["child", Event[]] {
  return event[0] === "child";
}

function isPoint(event: Event): event is ["assert", Point] {
  return event[0] === "assert";
}

/** Returns cargo's tests: `test calls::tap ... ok`. A failure if cargo's own sums differ. */
export function cargoTally(text: string): Tally {
  const tally = { passed: 0, failed: [] as string[], skipped: [] as Skip[] };
  const sums = { passed: 0, failed: 0, ignored: 0 };
  for (const line of text.split("\n")) {
    const test =
      /^test (?<name>.+?)(?: - should panic)? \.\.\. (?:.*)(?<outcome>ok|FAILED|ignored(?:, (?<reason>.*))?)$/.exec(
        line,
      )?.groups;
    if (test) {
      const name = `host: ${test["name"]}`;
      if (test["outcome"] === "ok") tally.passed += 1;
      else if (test["outcome"] === "FAILED") tally.failed.push(name);
      else tally.skipped.push({ name, reason: test["reason"] ?? "no reason given" });
    }
    const total = /^test result: .* (\d+) passed; (\d+) failed; (\d+) ignored;/.exec(line);
    if (total) {
      sums.passed += Number(total[1]);
      sums.failed += Number(total[2]);
      sums.ignored += Number(total[3]);
    }
  }
  const agree =
    sums.passed === tally.passed && sums.failed === tally.failed.length && sums.ignored === tally.skipped.length;
  // A test's own output can break its line, but not the sums.
  return agree ? tally : { ...tally, passed: sums.passed, failed: names(sums.failed, tally.failed) };
}

function names(count: number, known: readonly string[]): string[] {
  return Array.from(
    { length: count },
    (_, index) => known[index] ?? "host: a test whose name cargo's output does not show",
  );
}

/**
 * Returns the failures of a TAP text as lines to print: "not ok", diagnostics, and the place of the
 * evidence.
 */
export function tapFailures(text: string): string {
  const shown: string[] = [];
  let indent: string | undefined;
  for (const line of text.split("\n")) {
    if (indent !== undefined && line.startsWith(`${indent}  `)) {
      shown.push(line);
      continue;
    }
    indent = undefined;
    if (/^ *# evidence: /.test(line)) shown.push(line);
    const failure = /^(?<indent> *)not ok (?!.* # TODO)/.exec(line)?.groups;
    if (failure) {
      indent = failure["indent"];
      shown.push(line);
    }
  }
  return shown.join("\n");
}
