// `gc`: removes what belongs to attachments whose namespace does not exist any more. Multus never
// sends GC.
import type { Collection, Outcome } from "../plugin/operator.ts";
import { printable, printableJson } from "../printable.ts";
import { json, type Option } from "./arguments.ts";
import { type AnyPlugin, type Command, exit, type Invocation } from "./command.ts";
import { dataDir, journalDirectoryOf, operatorOf, subjectText } from "./records.ts";
import { counted, type Grade, type Item, lines } from "./report.ts";

const dryRun: Option = { name: "dry-run", about: "only print what would be removed" };

const grades: Readonly<Record<Outcome, readonly [Grade, word: string]>> = {
  removed: ["good", "removed"],
  removable: ["doubtful", "removable"],
  alive: ["good", "kept"],
  left: ["bad", "left"],
  failed: ["bad", "failed"],
};

export const gc: Command<AnyPlugin> = {
  name: "gc",
  usage: "[--json] [--dry-run] [--data-dir DIR]",
  about: "removes what attachments left whose network namespace no longer exists",
  options: [json, dryRun, dataDir],
  more: [
    "A namespace no longer exists if it is not at its path, no process is in it, and it is mounted nowhere else.",
    "Attachments whose namespace exists, and records that cannot be read, are kept.",
    "With --dry-run, the exit status is 1 if there is something to remove.",
  ],

  run(invocation) {
    const operator = operatorOf(invocation, "gc");
    const directory = journalDirectoryOf(invocation, operator);
    const { program: plugin, given, print } = invocation;
    const collection = operator.collect(directory, given.flags.has("dry-run"));
    const clean =
      collection.unreadable.length === 0 &&
      collection.attachments.every(({ outcome }) => outcome === "removed" || outcome === "alive");
    if (given.flags.has("json"))
      print(
        printableJson({ plugin: plugin.name, dataDir: directory, dryRun: given.flags.has("dry-run"), ...collection }),
      );
    else for (const line of reportLines(invocation, directory, collection)) print(line);
    return clean ? exit.healthy : exit.findings;
  },
};

function reportLines(
  { paint }: Invocation<AnyPlugin>,
  directory: string,
  { attachments, unreadable }: Collection,
): string[] {
  const items: Item[] = [
    ...attachments.map((one): Item => {
      const [grade, word] = grades[one.outcome];
      const { why, hint } = one;
      return { grade, word, text: subjectText(one), findings: [{ fact: why, ...(hint !== undefined && { hint }) }] };
    }),
    ...unreadable.map(
      ({ fact, hint }): Item => ({
        grade: "bad",
        word: "left",
        text: `${fact}`,
        findings: [{ fact: "it cannot be read, so its attachment is unknown", ...(hint !== undefined && { hint }) }],
      }),
    ),
  ];
  const count = (...wanted: readonly Outcome[]): number =>
    attachments.filter(({ outcome }) => wanted.includes(outcome)).length;
  const parts = [
    counted(attachments.length, "attachment"),
    ...(count("removed") > 0 ? [`${count("removed")} removed`] : []),
    ...(count("removable") > 0 ? [`${count("removable")} to be removed`] : []),
  ];
  return [...lines(items, paint), paint.faint(printable(`${parts.join(", ")}; records in ${directory}`))];
}
