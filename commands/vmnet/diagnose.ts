// `diagnose`: draws how a pod's NICs are connected, whichever plugin connected them, and runs the
// checks that an operator would run by hand.

import { json, UsageError } from "../../lib/command/arguments.ts";
import { type Command, exit } from "../../lib/command/command.ts";
import { askedDirectory } from "../../lib/command/records.ts";
import { diagnosisOf } from "../../lib/diagnosis/diagnosis.ts";
import { documentOf } from "../../lib/diagnosis/document.ts";
import { linesOf } from "../../lib/diagnosis/picture.ts";
import type { PodSurvey } from "../../lib/diagnosis/survey.ts";
import { printableJson, printableParts } from "../../lib/printable.ts";

/** The plugins' journals, unless their netconfs name other directories (dataDir). */
const directories = ["/run/bridge-binding", "/run/passt-binding", "/run/sriov-vfio"];

/** Reads the pod in a namespace, and the journals in the directories. Changes nothing. */
type Survey = (path: string, directories: readonly string[]) => PodSurvey;

/** Returns the command, with the function that reads the pod. */
export const diagnoseWith = (survey: Survey): Command => ({
  name: "diagnose",
  usage: "[--json] [--data-dir DIR] <netns path | pid>",
  about: "draws how a pod's NICs are connected, and names each problem with its remedy",
  options: [
    json,
    { name: "data-dir", value: "DIR", about: `read records here too, in addition to ${directories.join(", ")}` },
  ],
  operands: 1,
  more: [
    "The pod is named by its network namespace (a path, or a name below /run/netns), or by the ID of one of its",
    "processes, such as the one that `crictl inspectp` prints. Nothing is changed.",
  ],

  run({ given, print, paint, terminal }) {
    const { flags, operands } = given;
    const [operand] = operands;
    if (operand === undefined || operand === "") throw new UsageError("a network namespace or a process is missing");
    const own = askedDirectory({ given, terminal });
    const all = own === undefined ? directories : [...new Set([...directories, own])];
    const diagnosis = diagnosisOf(survey(pathOf(operand), all), terminal.sha256);
    if (flags.has("json")) print(printableJson(documentOf(diagnosis)));
    else print(linesOf(printableParts(diagnosis), paint).join("\n"));
    return diagnosis.findings.length === 0 ? exit.healthy : exit.findings;
  },
});

/** `4711` is a process, `blue` a namespace of `ip netns`, everything else a path. */
function pathOf(operand: string): string {
  if (/^\d+$/.test(operand)) return `/proc/${operand}/ns/net`;
  return operand.includes("/") ? operand : `/run/netns/${operand}`;
}
