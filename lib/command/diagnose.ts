// `diagnose`: draws the wiring of a pod, whoever made it, and walks the list that operators walk by hand.
import { diagnosisOf } from "../diagnosis/diagnosis.ts";
import { documentOf } from "../diagnosis/document.ts";
import { linesOf } from "../diagnosis/picture.ts";
import { json, UsageError } from "./arguments.ts";
import { type Command, exit } from "./command.ts";
import { printable } from "./paint.ts";
import { askedDirectory } from "./subject.ts";

/** Where the plugins' records are unless their configurations say otherwise (dataDir). */
const directories = ["/run/bridge-binding", "/run/passt-binding", "/run/sriov-vfio"];

/** What paint.ts puts into a line. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it is about
const coloured = /(\x1b\[\d+m)/;

export const diagnose: Command = {
  name: "diagnose",
  usage: "[--json] [--data-dir DIR] <netns path | pid>",
  about: "draws the wiring of a pod, whichever plugin made it, and says what is wrong with it and what to do",
  options: [
    json,
    { name: "data-dir", value: "DIR", about: `look for records here too, beside ${directories.join(", ")}` },
  ],
  operands: 1,
  more: [
    "The pod is named by its network namespace (a path, or a name below /run/netns), or by the ID of one of its",
    "processes, such as the one that `crictl inspectp` tells. Nothing is changed.",
  ],

  run({ given, print, paint, terminal }) {
    const { flags, operands } = given;
    const [operand] = operands;
    if (operand === undefined || operand === "") throw new UsageError("a network namespace or a process is missing");
    const own = askedDirectory({ given, terminal });
    const sight = terminal.lookAt(
      pathOf(operand),
      own === undefined ? directories : [...new Set([...directories, own])],
    );
    const diagnosis = diagnosisOf(sight, terminal.sha256);
    if (flags.has("json")) print(JSON.stringify(documentOf(diagnosis)));
    else print(linesOf(diagnosis, paint).map(shown).join("\n"));
    return diagnosis.findings.length === 0 ? exit.healthy : exit.findings;
  },
};

/** `4711` is a process, `blue` is a namespace that `ip netns` knows, everything else is a path. */
function pathOf(operand: string): string {
  if (/^\d+$/.test(operand)) return `/proc/${operand}/ns/net`;
  return operand.includes("/") ? operand : `/run/netns/${operand}`;
}

/** With what could steer the terminal made visible, but for the colours. */
function shown(line: string): string {
  return line
    .split(coloured)
    .map((part, position) => (position % 2 === 1 ? part : printable(part)))
    .join("");
}
