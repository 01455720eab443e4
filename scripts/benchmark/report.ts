// Makes a table of what was measured, and says which targets are met.
import type { Measurement } from "./measure.ts";
import { median, quantile } from "./statistics.ts";

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

/** Whether a target is met, and by how much: `target: ADD ≤ 1/3 of bridge + host-local: met (0.27)`. */
export interface Verdict {
  readonly line: string;
  readonly met: boolean;
  /** A budget depends on the executable alone, a time on the machine, too: only budgets fail a check. */
  readonly budget: boolean;
}

const megabyte = 1_000_000;

/** The table in Markdown, one row for each verb of each subject, in the order given; `ratio` is that of its median to `peer`'s. */
export function table(rows: readonly Row[], sizes: readonly Size[], peer: string): string {
  const head = ["Work", "Program", "median ms", "ratio", "p95", "CPU ms", "peak memory KB", "size"];
  const body = rows.map(({ subject, verb, measurements }) => {
    const times = measurements.map(({ milliseconds }) => milliseconds);
    const size = sizes.find((each) => each.subject === subject);
    return [
      verb,
      subject,
      median(times).toFixed(2),
      (median(times) / time(rows, peer, verb)).toFixed(2),
      quantile(times, 0.95).toFixed(2),
      median(measurements.map(({ cpuMilliseconds }) => cpuMilliseconds)).toFixed(2),
      peak(measurements).toFixed(0),
      size ? `${(size.bytes / megabyte).toFixed(2)} M` : "",
    ];
  });
  const rule = head.map((_, column) => (column < 2 ? "---" : "---:"));
  return [head, rule, ...body].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** What is asked of `ours`, against what was measured: `peer` does the work that ADD is compared with. */
export function verdicts(rows: readonly Row[], sizes: readonly Size[], ours: string, peer: string): Verdict[] {
  const start = time(rows, ours, "VERSION") / time(rows, peer, "VERSION");
  const add = time(rows, ours, "ADD") / time(rows, peer, "ADD");
  const memory =
    Math.max(...rows.filter(({ subject }) => subject === ours).map(({ measurements }) => peak(measurements))) * 1024;
  const size = sizes.find(({ subject }) => subject === ours)!.bytes;
  return [
    verdict(`${ours}: VERSION no slower than ${peer}'s`, start <= 1, start.toFixed(2), false),
    verdict(`${ours}: ADD ≤ 1/3 of ${peer}`, add <= 1 / 3, add.toFixed(2), false),
    verdict(`${ours}: peak memory ≤ 4 MB`, memory <= 4 * megabyte, `${(memory / megabyte).toFixed(2)} MB`, true),
    verdict(`${ours}: size ≤ 2.5 MB`, size <= 2.5 * megabyte, `${(size / megabyte).toFixed(2)} MB`, true),
  ];
}

function verdict(what: string, met: boolean, value: string, budget: boolean): Verdict {
  return { line: `target: ${what}: ${met ? "met" : "missed"} (${value})`, met, budget };
}

function peak(measurements: readonly Measurement[]): number {
  return Math.max(...measurements.map(({ peakKilobytes }) => peakKilobytes));
}

/** A subject's median time for a verb. */
function time(rows: readonly Row[], subject: string, verb: string): number {
  const row = rows.find((each) => each.subject === subject && each.verb === verb);
  if (!row) throw new Error(`${subject} ${verb}: was not measured`);
  return median(row.measurements.map(({ milliseconds }) => milliseconds));
}
