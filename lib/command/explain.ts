// `explain`: prints what ADD would do, and changes nothing.
import { networkName } from "../cni/configuration.ts";
import { writeResult } from "../cni/conversion.ts";
import { isIdentifier, linkNameFault, parseArgs } from "../cni/environment.ts";
import { type Explanation, explainFailure } from "../cni/failure.ts";
import type { JsonObject } from "../cni/json.ts";
import { openNetns } from "../cni/netns.ts";
import type { Netns } from "../cni/plugin.ts";
import { ipamTypeFor, previousOf } from "../cni/verbs.ts";
import { configVersion } from "../cni/versions.ts";
import type { DryRun, DryRunCall } from "../plugin/operator.ts";
import { printable, printableJson } from "../printable.ts";
import { json, type Option, UsageError } from "./arguments.ts";
import { type AnyPlugin, type Command, exit, type Invocation } from "./command.ts";
import { type FoundNetconf, netconfIn } from "./netconf-file.ts";
import type { Paint } from "./paint.ts";
import { netnsPath } from "./records.ts";

const options: readonly Option[] = [
  json,
  { name: "netns", value: "NETNS", about: "the pod's network namespace: a path, or the ID of a process in it" },
  { name: "ifname", value: "NAME", about: "CNI_IFNAME; default: net1" },
  { name: "container-id", value: "ID", about: "CNI_CONTAINERID, from which some MAC addresses are derived" },
  { name: "args", value: "CNI_ARGS", about: "CNI_ARGS, such as MAC=02:00:00:00:00:01" },
  { name: "device", value: "ADDRESS", about: "the PCI address that Multus would write as deviceID" },
];

/** What is known of an ADD. */
interface Explained {
  readonly conf?: Readonly<Record<string, unknown>>;
  readonly dryRun?: DryRun;
  /** The document that the runtime would receive. */
  readonly result?: JsonObject;
  readonly refused?: Explanation;
  readonly notes: readonly string[];
}

export const explain: Command<AnyPlugin> = {
  name: "explain",
  usage: `[--json] ${options
    .slice(1)
    .map(({ name, value }) => `[--${name} ${value}]`)
    .join(" ")} [NETCONF | -]`,
  about: "prints what ADD would do with a configuration, or why it would refuse it; changes nothing",
  options,
  operands: 1,
  more: [
    "NETCONF is a file with a configuration, a list of them, or a NetworkAttachmentDefinition as JSON",
    "(kubectl get network-attachment-definitions NAME -o json). Default, and -: standard input.",
    "Without --netns, it prints the configuration with its defaults.",
  ],

  run(invocation) {
    const { program: plugin, given, print, terminal } = invocation;
    const [file] = given.operands;
    // An operator at a terminal would not know that the command waits for input.
    if (file === undefined && terminal.isTerminal(0))
      throw new UsageError("NETCONF: is missing; a file, or - to type it in");
    const found = withDevice(netconfIn(file ?? "-", invocation), given.values["device"]);
    const netns = netnsOf(invocation);
    const explained = explanation(invocation, found, netns);
    if (given.flags.has("json"))
      print(printableJson({ plugin: plugin.name, ...(netns && { netns: netns.path }), ...documentOf(explained) }));
    else for (const line of linesOf(invocation, explained, found)) print(line);
    return explained.refused === undefined ? exit.healthy : exit.findings;
  },
};

function explanation(
  invocation: Invocation<AnyPlugin>,
  { object, chained }: FoundNetconf,
  netns: Netns | undefined,
): Explained {
  const { program: plugin, given } = invocation;
  const { ifname = chained ? "eth0" : "net1", "container-id": containerId = "explain", args } = given.values;
  if (!isIdentifier(containerId))
    throw new UsageError(`--container-id: must begin with a letter or digit, and have only those, "_", "." and "-"`);
  const nameFault = linkNameFault(ifname);
  if (nameFault !== undefined) throw new UsageError(`--ifname: ${nameFault}`);
  const notes: string[] = [];
  let conf: Explained["conf"];
  try {
    const type = ipamTypeFor(plugin, object);
    const network = networkName(object);
    const cniVersion = configVersion(object.cniVersion);
    conf = plugin.schema.parse(object) as Explained["conf"];
    const prevResult = previousOf({ object, cniVersion }) ?? (chained ? {} : undefined);
    if (chained && object.prevResult === undefined)
      notes.push("the results of the plugins before it in the list are unknown; empty ones are assumed");
    if (type !== undefined) notes.push(`ADD would first call the IPAM plugin ${type} for addresses; explain does not`);
    const call: DryRunCall<unknown> = {
      network,
      cniVersion,
      object,
      conf,
      containerId,
      ifname,
      args: parseArgs(args),
      warn: (text) => notes.push(text),
      ...(prevResult !== undefined && { prevResult }),
      ...(netns !== undefined && { netns }),
    };
    const dryRun = plugin.operator?.dryRun(call);
    if (plugin.operator === undefined) notes.push(`${plugin.name} has no plan to print`);
    else if (dryRun !== undefined && given.values["container-id"] === undefined)
      notes.push(
        `the container's ID is unknown: values derived from it, such as MAC addresses, are those of a container called ${containerId}`,
      );
    const result = dryRun?.result && writeResult(dryRun.result, cniVersion, prevResult);
    return { ...(conf && { conf }), ...(dryRun && { dryRun }), ...(result && { result }), notes };
  } catch (failure) {
    return { ...(conf && { conf }), refused: explainFailure(failure), notes };
  }
}

function withDevice(found: FoundNetconf, device: string | undefined): FoundNetconf {
  return device === undefined ? found : { ...found, object: { ...found.object, deviceID: device } };
}

/**
 * Opens the namespace that `--netns` names. Throws if it is not a network namespace, or the node's
 * own.
 */
function netnsOf(invocation: Invocation<AnyPlugin>): Netns | undefined {
  const { given, terminal } = invocation;
  const { netns } = given.values;
  if (netns === undefined) return undefined;
  const path = netnsPath(netns, invocation);
  if (path === undefined) throw new Error(`--netns: ${netns} is neither a path nor a process`);
  return openNetns({ CNI_NETNS: path }, terminal, "--netns");
}

function documentOf({ conf, dryRun, result, refused, notes }: Explained): object {
  return {
    ...(conf && { conf }),
    ...(dryRun && { changes: dryRun.changes, words: dryRun.words }),
    ...(result && { result }),
    ...(refused && { refused }),
    notes,
  };
}

function linesOf(
  { program: plugin, paint, given }: Invocation<AnyPlugin>,
  { conf, dryRun, result, refused, notes }: Explained,
  { object }: FoundNetconf,
): string[] {
  const lines: string[] = [];
  if (conf !== undefined) lines.push(paint.strong("Configuration"), ...fieldLines(conf, object, paint), "");
  if (refused !== undefined) {
    lines.push(paint.bad("ADD would refuse it"));
    for (const fault of refused.faults) lines.push(`  ${printable(fault)}`);
    if (refused.details !== "") lines.push(`  ${paint.faint("do:")} ${printable(refused.details)}`);
  } else if (dryRun !== undefined) {
    lines.push(paint.strong(`${plugin.name} ADD would do this, in order`), ...planLines(dryRun));
    if (result !== undefined) lines.push("", paint.strong("It would report"), `  ${printableJson(result)}`);
  } else
    lines.push(
      given.values["netns"] === undefined
        ? "The configuration is valid; --netns shows what ADD would do in a pod."
        : "The configuration is valid.",
    );
  for (const note of notes) lines.push("", `${paint.doubtful("note:")} ${printable(note)}`);
  return lines;
}

function fieldLines(conf: NonNullable<Explained["conf"]>, object: JsonObject, paint: Paint): string[] {
  const fields = Object.entries(conf);
  const width = Math.max(0, ...fields.map(([name]) => name.length));
  return fields.map(([name, value]) => {
    const isDefault = object[name] === undefined || object[name] === null;
    return `  ${name.padEnd(width)}  ${printableJson(value)}${isDefault ? paint.faint(" (default)") : ""}`;
  });
}

function planLines({ words }: DryRun): string[] {
  if (words.length === 0) return ["  nothing"];
  return words.flatMap(({ what, steps }, position) => [
    `  ${position + 1}. ${printable(what)}`,
    ...steps.map((step) => `       ${printable(step)}`),
  ]);
}
