// `status`: whether this node can serve an ADD. Multus never sends STATUS.
import { explainFailure, faultsOf } from "../cni/failure.ts";
import { ipamTypeFor } from "../cni/verbs.ts";
import { newest } from "../cni/versions.ts";
import type { Requirement } from "../plugin/operator.ts";
import { printableJson } from "../printable.ts";
import { json } from "./arguments.ts";
import { type AnyPlugin, type Command, exit } from "./command.ts";
import { type FoundNetconf, netconfIn } from "./netconf-file.ts";
import { counted, type Item, lines } from "./report.ts";

export const status: Command<AnyPlugin> = {
  name: "status",
  usage: "[--json] [NETCONF | -]",
  about: "checks whether this node can serve an ADD, as STATUS does",
  options: [json],
  operands: 1,
  more: [
    "NETCONF is a file with a configuration, a list of them, or a NetworkAttachmentDefinition as JSON; - is standard",
    "input. Default: an empty configuration, with every default.",
  ],

  run(invocation) {
    const { program: plugin, given, print, paint } = invocation;
    const [file] = given.operands;
    const { object }: FoundNetconf = file === undefined ? { object: {}, chained: false } : netconfIn(file, invocation);
    const outcomes = requirementsOf(plugin, object).map(({ what, check }) => ({ what, faults: faultsOf(check) }));
    const healthy = outcomes.every(({ faults }) => faults.length === 0);
    const confinement = plugin.operator?.confinement?.();
    if (given.flags.has("json")) {
      print(printableJson({ plugin: plugin.name, healthy, looks: outcomes, ...(confinement && { confinement }) }));
      return healthy ? exit.healthy : exit.findings;
    }
    const items = outcomes.map(
      ({ what, faults }): Item =>
        faults.length === 0
          ? { grade: "good", word: "ok", text: what }
          : { grade: "bad", word: "fault", text: faults.join("; ") },
    );
    if (confinement !== undefined) items.push(confinementItem(confinement));
    const broken = outcomes.filter(({ faults }) => faults.length > 0).length;
    for (const line of lines(items, paint)) print(line);
    print(paint.faint(healthy ? "an ADD can be served" : `no ADD can be served: ${counted(broken, "fault")}`));
    return healthy ? exit.healthy : exit.findings;
  },
};

/** Says which measures confine a call on this node. A node without them can serve it as well. */
function confinementItem(measures: readonly string[]): Item {
  const text = `confinement of calls: ${measures.length === 0 ? "none" : measures.join(", ")}`;
  return measures.includes("landlock")
    ? { grade: "good", word: "ok", text }
    : { grade: "doubtful", word: "note", text: `${text}; this kernel has no Landlock` };
}

/**
 * Returns what to check. An invalid netconf is one of the faults; its valid fields count for the
 * other checks.
 */
function requirementsOf(plugin: AnyPlugin, object: FoundNetconf["object"]): Requirement[] {
  let conf: unknown;
  let invalid: unknown;
  try {
    conf = plugin.schema.parse(object);
  } catch (failure) {
    invalid = failure;
    conf = plugin.schema.salvage(object);
  }
  const call = { network: "status", cniVersion: newest, object, warn: () => undefined, conf };
  const own = { what: `${plugin.name}: what it needs of the node`, check: () => plugin.status(call) };
  return [
    {
      what: "configuration",
      check() {
        if (invalid !== undefined) throw new Error(explainFailure(invalid).msg, { cause: invalid });
      },
    },
    ...(plugin.operator?.requirements(conf) ?? [own]),
    ...ipamRequirements(plugin, object),
  ];
}

/**
 * The IPAM plugin has a STATUS of its own. Only a runtime can call it, because it knows where the
 * plugin is.
 */
function ipamRequirements(plugin: AnyPlugin, object: FoundNetconf["object"]): Requirement[] {
  if (object.ipam === undefined || object.ipam === null) return [];
  return [
    {
      what: "ipam: the STATUS of its plugin is not called; only a runtime can call it",
      check() {
        ipamTypeFor(plugin, object);
      },
    },
  ];
}
