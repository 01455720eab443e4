// `check`: compares every recorded attachment with its record. Multus never sends CHECK.
import type { Checked, Condition, Inspection, Selection } from "../plugin/operator.ts";
import { printable, printableJson } from "../printable.ts";
import { json } from "./arguments.ts";
import { type AnyPlugin, type Command, exit, type Invocation } from "./command.ts";
import { dataDir, journalDirectoryOf, netnsPath, operatorOf, subjectText } from "./records.ts";
import { counted, type Grade, type Item, lines } from "./report.ts";

const grades: Readonly<Record<Condition, readonly [Grade, word: string]>> = {
  healthy: ["good", "ok"],
  differs: ["bad", "differs"],
  vanished: ["doubtful", "vanished"],
  interrupted: ["bad", "interrupted"],
  busy: ["doubtful", "busy"],
  unclear: ["bad", "unclear"],
};

export const check: Command<AnyPlugin> = {
  name: "check",
  usage: "[--json] [--data-dir DIR] [netns path | pid | container ID]",
  about: "compares each attachment with its record, and names every difference",
  options: [json, dataDir],
  operands: 1,
  more: [
    "Without an argument, it checks every recorded attachment of this node. An argument selects a network namespace, the",
    "namespace of a process, or a container by the pod sandbox's ID or the beginning of that ID.",
    "It changes nothing. If a call is running in a pod, it waits for at most 2 seconds.",
  ],

  run(invocation) {
    const operator = operatorOf(invocation, "check");
    const directory = journalDirectoryOf(invocation, operator);
    const [about] = invocation.given.operands;
    const inspection = operator.check(directory, about === undefined ? undefined : selectionOf(about, invocation));
    const missing = about !== undefined && inspection.attachments.length === 0;
    const healthy =
      !missing &&
      inspection.unreadable.length === 0 &&
      inspection.attachments.every(({ condition }) => condition === "healthy");
    const { program: plugin, given, print } = invocation;
    if (given.flags.has("json"))
      print(printableJson({ plugin: plugin.name, dataDir: directory, healthy, ...inspection }));
    else for (const line of reportLines(invocation, { directory, about, inspection })) print(line);
    return healthy ? exit.healthy : exit.findings;
  },
};

function selectionOf(about: string, invocation: Invocation<AnyPlugin>): Selection {
  const netns = netnsPath(about, invocation);
  return netns === undefined ? { containerId: about } : { netns };
}

function reportLines(
  { program: plugin, paint }: Invocation<AnyPlugin>,
  { directory, about, inspection }: { directory: string; about: string | undefined; inspection: Inspection },
): string[] {
  const { attachments, unreadable } = inspection;
  const items: Item[] = [
    ...attachments.map(itemOf),
    ...unreadable.map(
      ({ fact, hint }): Item => ({
        grade: "bad",
        word: "unreadable",
        text: fact,
        findings: hint === undefined ? [] : [{ fact: `do: ${hint}` }],
      }),
    ),
  ];
  if (attachments.length === 0 && about !== undefined)
    items.unshift({
      grade: "bad",
      word: "none",
      text: `${directory} holds no record of ${about}`,
      findings: [
        {
          fact: `${plugin.name} was not called for it, or DEL was, or its records are in another directory`,
          hint: `list all records: ${plugin.name} check; if they are in another directory, add --data-dir DIR`,
        },
      ],
    });
  const broken = attachments.filter(({ condition }) => condition !== "healthy").length + unreadable.length;
  const count = counted(attachments.length, "attachment");
  const summary = `${count} recorded in ${directory}${broken === 0 ? "" : `, ${broken} with problems`}`;
  return [...lines(items, paint), paint.faint(printable(summary))];
}

function itemOf(checked: Checked): Item {
  const [grade, word] = grades[checked.condition];
  return { grade, word, text: subjectText(checked), findings: checked.findings };
}
