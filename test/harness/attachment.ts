// One attachment of a pod by one of our plugins, called as a runtime calls it: every verb with the
// same environment, configuration and journal.
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Answer, type Call, callPlugin, callSuccessfully } from "./plugin.ts";
import type { Pod } from "./pod.ts";
import type { Scope } from "./scope.ts";

/** A network's configuration, or some fields of one. */
export type Netconf = Readonly<Record<string, unknown>>;

export interface AttachmentOptions {
  /** CNI_IFNAME: `net1` unless told, as Multus has it for the first binding. */
  readonly ifname?: string;
  /** Fields beside, or in place of, those of {@link Attachment.netconf}. */
  readonly netconf?: Netconf;
  /** What else the runtime tells, such as `{ args: "MAC=…" }`. */
  readonly call?: Call;
  /** Where attachments are recorded: a new directory unless told. */
  readonly dataDir?: string;
}

/** One attachment. */
export interface Attachment {
  readonly call: Call;
  /**
   * `cniVersion` 1.1.0, `name` and `type` the plugin's, `dataDir`, and `args.cni.logicNetworkName`
   * blue as KubeVirt sends it, unless in a chain.
   */
  readonly netconf: Netconf;
  readonly dataDir: string;
  /** Calls any verb, `extra` on top of the configuration, and gives what it answered. */
  run(verb: string, extra?: Netconf, call?: Call): Promise<Answer>;
  /** ADD and DEL, for where only success makes sense: reject otherwise. */
  add(): Promise<Answer>;
  del(): Promise<Answer>;
  /** CHECK with an empty previous result, as ADD of a binding gives it. */
  check(): Promise<Answer>;
  /** The names of all files in `dataDir`, none where it is missing. */
  journal(): Promise<string[]>;
}

/** Prepares one of a plugin of ours, such as `bridge-binding`; nothing is called yet. */
export async function attachmentOf(
  scope: Scope,
  plugin: string,
  pod: Pod,
  options: AttachmentOptions = {},
): Promise<Attachment> {
  const dataDir = options.dataDir ?? (await newDataDir(scope, plugin));
  const call = { ...pod.call(options.ifname ?? "net1"), ...options.call };
  const netconf: Netconf = {
    cniVersion: "1.1.0",
    name: plugin,
    type: plugin,
    dataDir,
    ...(options.netconf?.["prevResult"] === undefined && { args: { cni: { logicNetworkName: "blue" } } }),
    ...options.netconf,
  };
  return {
    call,
    netconf,
    dataDir,
    run: (verb, extra, other) => callPlugin(plugin, verb, { ...call, ...other }, { ...netconf, ...extra }),
    add: () => callSuccessfully(plugin, "ADD", call, netconf),
    del: () => callSuccessfully(plugin, "DEL", call, netconf),
    check: () => callPlugin(plugin, "CHECK", call, { prevResult: { cniVersion: netconf["cniVersion"] }, ...netconf }),
    journal: () => filesIn(dataDir),
  };
}

/** A path for a plugin's journal below its root, two directories of which are not there yet. */
export async function newDataDir(scope: Scope, plugin: string): Promise<string> {
  await mkdir(`/run/${plugin}`, { recursive: true, mode: 0o700 });
  const directory = await mkdtemp(`/run/${plugin}/test-`);
  scope.teardown(() => rm(directory, { recursive: true, force: true }));
  return join(directory, "run", "journal");
}

/** A path below the plugin's root where no journal can be made: a file is in the way. */
export async function blockedDataDir(scope: Scope, plugin: string): Promise<string> {
  const dataDir = await newDataDir(scope, plugin);
  await writeFile(dirname(dataDir), "");
  return dataDir;
}

/** What tells GC that these, and no others, are still valid. */
export function validAttachments(...attachments: readonly Attachment[]): Netconf {
  const list = attachments.map(({ call }) => ({ containerID: call.containerId, ifname: call.ifname }));
  return { "cni.dev/valid-attachments": list };
}

/**
 * GC by the attachment's configuration, `extra` on top, as a runtime calls it: for no container,
 * from the node.
 */
export function collect({ netconf, call }: Attachment, extra: Netconf, env: Call["env"] = {}): Promise<Answer> {
  return callPlugin(netconf["type"] as string, "GC", { node: call.node!, env }, { ...netconf, ...extra });
}

/** The names in a directory; none if it is missing. */
export async function filesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw failure;
  }
}
