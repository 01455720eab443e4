// Prints what was measured: tables, and the page in docs/.
import { median, quantile } from "./statistics.ts";
import { peak, type Results } from "./targets.ts";

/** The page that `--write` writes, and nothing else does. */
export const measurementsFile = "docs/measurements.md";

/** What the numbers of a run depend on. */
export interface Circumstances {
  /** Such as `2026-11-27`. */
  readonly date: string;
  readonly commit: string;
  readonly runs: number;
  readonly kernel: string;
  readonly cpus: number;
}

/** The page of measurements: where they come from, then what the run printed. */
export function page(printed: readonly string[], { date, commit, runs, kernel, cpus }: Circumstances): string {
  const source = `\`scripts/bench --runs ${runs} --write\` wrote this page on ${date}, from commit \`${commit}\`, on Linux ${kernel} with ${cpus} CPUs.`;
  const head = [
    "# Measurements",
    "",
    source,
    "Do not edit it.",
    "Times depend on the machine and on its load: compare the ratios.",
    "",
  ];
  return `${[...head, ...printed].join("\n").trimEnd()}\n`;
}

/**
 * Returns the table in Markdown, one row for each verb of each subject.
 *
 * `ratio` is the median divided by the first subject's median of the same verb.
 */
export function table({ rows, sizes }: Results, subjects: readonly string[], verbs: readonly string[]): string {
  const head = ["Work", "Program", "median ms", "ratio", "p95", "CPU ms", "peak memory KB", "size"];
  const shown = verbs.flatMap((verb) =>
    subjects.flatMap((subject) => rows.find((row) => row.subject === subject && row.verb === verb) ?? []),
  );
  const times = new Map(shown.map((row) => [row, row.measurements.map(({ milliseconds }) => milliseconds)] as const));
  const body = shown.map((row) => {
    const { subject, verb, measurements } = row;
    const own = times.get(row)!;
    const first = times.get(shown.find((each) => each.verb === verb)!)!;
    const size = sizes.find((each) => each.subject === subject);
    return [
      verb,
      subject,
      median(own).toFixed(2),
      (median(own) / median(first)).toFixed(2),
      quantile(own, 0.95).toFixed(2),
      median(measurements.map(({ cpuMilliseconds }) => cpuMilliseconds)).toFixed(2),
      peak(measurements).toFixed(0),
      size ? `${(size.bytes / 1_000_000).toFixed(2)} M` : "",
    ];
  });
  const rule = head.map((_, column) => (column < 2 ? "---" : "---:"));
  return [head, rule, ...body].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
