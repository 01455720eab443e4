// Measures ADDs of twenty concurrent pods within the limits that Multus's thick plugin sets for all
// of its plugins together.
import { execa } from "execa";
import { limitedGroup, multusThick } from "../test/harness/limits.ts";
import { createNamespaces, type Namespace, removeNamespaces, within } from "../test/harness/namespaces.ts";
import { type Scope, withScope } from "../test/harness/scope.ts";
import { median, shuffled } from "./statistics.ts";
import { environment, type Subject } from "./subjects.ts";

/** All rounds of one subject. */
interface Rounds {
  readonly subject: Subject;
  /** Time from the first start to the last end, for each round. */
  readonly milliseconds: number[];
  readonly peaks: number[];
}

const pods = 20;

/**
 * Returns the table in Markdown, one row for each subject that has an ADD. Ratios are relative to
 * the first subject.
 */
export async function limitsTable(node: Namespace, subjects: readonly Subject[], rounds: number): Promise<string> {
  const all = subjects
    .filter(({ verbs }) => verbs.includes("ADD"))
    .map((subject): Rounds => ({ subject, milliseconds: [], peaks: [] }));
  for (let round = 0; round < rounds; round += 1)
    for (const one of shuffled(all)) await withScope((scope) => live(scope, node, one));
  const first = median(all[0]!.milliseconds);
  const body = all.map(({ subject, milliseconds, peaks }) => [
    subject.name,
    median(milliseconds).toFixed(0),
    (median(milliseconds) / first).toFixed(2),
    (Math.max(...peaks) / 1e6).toFixed(1),
  ]);
  const head = [`ADD of ${pods} pods at once`, "median ms", "ratio", "peak memory of all MB"];
  const rule = head.map((_, column) => (column < 1 ? "---" : "---:"));
  return [head, rule, ...body].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

async function live(scope: Scope, node: Namespace, { subject, milliseconds, peaks }: Rounds): Promise<void> {
  const namespaces = await createNamespaces(scope, pods);
  await subject.prepare(node, namespaces);
  const group = await limitedGroup(scope, multusThick);
  const call = async (pod: Namespace, verb: string, under: readonly string[], result?: object): Promise<object> => {
    const [file, ...args] = within(node, ...under, subject.executable);
    const prevResult = result ?? subject.prevResult;
    const { stdout } = await execa(file, args, {
      extendEnv: false,
      env: environment(subject, verb, pod),
      input: JSON.stringify({ ...subject.netconf, ...(prevResult && { prevResult }) }),
    });
    return verb === "ADD" ? JSON.parse(stdout) : {};
  };
  const start = performance.now();
  const results = await Promise.all(namespaces.map((pod) => call(pod, "ADD", group.under)));
  milliseconds.push(performance.now() - start);
  peaks.push(await group.peak());
  for (const [position, pod] of namespaces.entries()) await call(pod, "DEL", [], results[position]);
  await removeNamespaces(namespaces);
}
