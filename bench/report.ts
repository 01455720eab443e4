// Makes a table of what was measured.
import { median, quantile } from "./statistics.ts";
import { peak, type Results } from "./targets.ts";

/**
 * The table in Markdown, one row for each verb of each of the subjects; `ratio` is that of its
 * median to the first one's of the same verb.
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
