// The targets of our plugins, and whether the measurements meet them.
import type { Measurement } from "./measure.ts";
import { median } from "./statistics.ts";

/** All runs of one verb of one subject. */
export interface Row {
  readonly subject: string;
  readonly verb: string;
  readonly measurements: readonly Measurement[];
}

/** An executable's size in bytes. */
export interface Size {
  readonly subject: string;
  readonly bytes: number;
}

export interface Results {
  readonly rows: readonly Row[];
  readonly sizes: readonly Size[];
}

/**
 * An upper bound on the median of a verb, or on a value of the whole plugin.
 *
 * The bound is a share of the peer's value, or a number of megabytes.
 */
export type Target =
  | { readonly verb: string; readonly of: "time" | "CPU time"; readonly share: Share }
  | { readonly of: "peak memory" | "size"; readonly share: Share }
  | { readonly of: "peak memory" | "size"; readonly megabytes: number };

type Share = "1" | "1/2" | "1/3" | "1/5";

/**
 * Whether a target is met, and the measured value.
 *
 * `line` is, for example, `target: bridge-binding: ADD time ≤ 1/3 of bridge + host-local's: met
 * (0.27)`.
 */
export interface Verdict {
  readonly line: string;
  readonly met: boolean;
  /**
   * Whether the bound is in bytes. Only such a bound fails a check.
   *
   * A bound in bytes depends on the executable alone, but a share also depends on the machine.
   */
  readonly budget: boolean;
}

const megabyte = 1_000_000;

/**
 * Compares the measurements of `ours` with a target.
 *
 * Returns undefined if the target is relative to `peer` and the peer was not measured.
 */
export function verdict(target: Target, results: Results, ours: string, peer: string | undefined): Verdict | undefined {
  if ("megabytes" in target) {
    const found = bytes(target.of, results, ours) / megabyte;
    const what = `${target.of} ≤ ${target.megabytes} MB`;
    return judged(`${ours}: ${what}`, found <= target.megabytes, `${found.toFixed(2)} MB`, true);
  }
  if (peer === undefined) return undefined;
  const of = (subject: string): number =>
    "verb" in target ? time(target, results, subject) : bytes(target.of, results, subject);
  const found = of(ours) / of(peer);
  const what = `${"verb" in target ? `${target.verb} ` : ""}${target.of} ≤ ${target.share === "1" ? "" : `${target.share} of `}${peer}'s`;
  return judged(`${ours}: ${what}`, found <= shares[target.share], found.toFixed(2), false);
}

const shares: Readonly<Record<Share, number>> = { "1": 1, "1/2": 1 / 2, "1/3": 1 / 3, "1/5": 1 / 5 };

function judged(what: string, met: boolean, value: string, budget: boolean): Verdict {
  return { line: `target: ${what}: ${met ? "met" : "missed"} (${value})`, met, budget };
}

/** Returns a subject's median for a verb, in milliseconds. */
function time(
  { verb, of }: { readonly verb: string; readonly of: "time" | "CPU time" },
  { rows }: Results,
  subject: string,
): number {
  const row = rows.find((each) => each.subject === subject && each.verb === verb);
  if (!row) throw new Error(`${subject} ${verb}: was not measured`);
  return median(
    row.measurements.map(({ milliseconds, cpuMilliseconds }) => (of === "time" ? milliseconds : cpuMilliseconds)),
  );
}

function bytes(of: "peak memory" | "size", { rows, sizes }: Results, subject: string): number {
  if (of === "size") return sizes.find((each) => each.subject === subject)!.bytes;
  return (
    Math.max(...rows.filter((row) => row.subject === subject).map(({ measurements }) => peak(measurements))) * 1024
  );
}

/** Returns the highest peak memory of all runs, in units of 1024 bytes. */
export function peak(measurements: readonly Measurement[]): number {
  return Math.max(...measurements.map(({ peakKilobytes }) => peakKilobytes));
}
