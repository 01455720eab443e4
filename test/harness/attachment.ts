// Calls one of our plugins for one attachment, as a runtime does: every verb with the same
// environment, netconf and journal.
import type { Dirent } from "node:fs";
import { mkdir, mkdtemp, readdir, readlink, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Answer, type Call, callPlugin, callSuccessfully } from "./plugin.ts";
import type { Pod } from "./pod.ts";
import type { Scope } from "./scope.ts";

/** A netconf, or some fields of one. */
export type Netconf = Readonly<Record<string, unknown>>;

export interface AttachmentOptions {
  /** CNI_IFNAME. Default: `net1`, the name that Multus uses for the first binding. */
  readonly ifname?: string;
  /** Fields that are added to {@link Attachment.netconf} or replace its fields. */
  readonly netconf?: Netconf;
  /** Further parts of the call, such as `{ args: "MAC=…" }`. */
  readonly call?: Call;
  /** The journal's directory. Default: a new one. */
  readonly dataDir?: string;
}

export interface Attachment {
  readonly call: Call;
  /**
   * `cniVersion` 1.1.0, the plugin's `name` and `type`, and `dataDir`.
   *
   * Outside a chain also `args.cni.logicNetworkName` "blue", which KubeVirt sends.
   */
  readonly netconf: Netconf;
  readonly dataDir: string;
  /** Calls a verb and returns its answer. The fields of `extra` are added to the netconf. */
  run(verb: string, extra?: Netconf, call?: Call): Promise<Answer>;
  /** ADD and DEL. Both reject if the plugin fails. */
  add(): Promise<Answer>;
  del(): Promise<Answer>;
  /** CHECK with an empty previous result, which is what ADD of a binding returns. */
  check(): Promise<Answer>;
  /**
   * The records in `dataDir`, such as `CONTAINER/net1.json`, and whatever else is left there. Empty
   * if `dataDir` does not exist.
   */
  journal(): Promise<string[]>;
}

/** Prepares an attachment of one of our plugins, such as `bridge-binding`. Calls no plugin. */
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
    journal: () => recordsIn(dataDir),
  };
}

/** Returns a path for a journal below the plugin's root. Its last two directories do not exist. */
export async function newDataDir(scope: Scope, plugin: string): Promise<string> {
  await mkdir(`/run/${plugin}`, { recursive: true, mode: 0o700 });
  const directory = await mkdtemp(`/run/${plugin}/test-`);
  scope.teardown(() => rm(directory, { recursive: true, force: true }));
  return join(directory, "run", "journal");
}

/** Returns a path below the plugin's root where no journal can be created: its parent is a file. */
export async function blockedDataDir(scope: Scope, plugin: string): Promise<string> {
  const dataDir = await newDataDir(scope, plugin);
  await writeFile(dirname(dataDir), "");
  return dataDir;
}

/** The netconf field with which GC keeps these attachments and removes all others. */
export function validAttachments(...attachments: readonly Attachment[]): Netconf {
  const list = attachments.map(({ call }) => ({ containerID: call.containerId, ifname: call.ifname }));
  return { "cni.dev/valid-attachments": list };
}

/**
 * Calls GC with the attachment's netconf and the fields of `extra`, as a runtime does: without a
 * container, in the node's namespace.
 */
export function collect({ netconf, call }: Attachment, extra: Netconf, env: Call["env"] = {}): Promise<Answer> {
  return callPlugin(netconf["type"] as string, "GC", { node: call.node!, env }, { ...netconf, ...extra });
}

/**
 * Returns the paths in a journal's directory, directories with a slash at the end. The directory of
 * a container with records, and the guards of records, are left out.
 */
export async function recordsIn(directory: string): Promise<string[]> {
  const paths: string[] = [];
  for (const entry of await entriesOf(directory)) {
    if (!entry.isDirectory()) {
      paths.push(entry.name);
      continue;
    }
    const names = (await entriesOf(join(directory, entry.name))).map(({ name }) => name);
    if (names.length === 0) paths.push(`${entry.name}/`);
    paths.push(...names.map((name) => `${entry.name}/${name}`));
  }
  const guarded = await Promise.all(paths.map((path) => isGuard(directory, path, paths)));
  return paths.filter((_, position) => !guarded[position]).sort();
}

/** Whether a file is the guard of a record that exists: version 0.1.0 refuses it. */
async function isGuard(directory: string, path: string, paths: readonly string[]): Promise<boolean> {
  if (path.includes("/")) return false;
  const target = await readlink(join(directory, path)).catch(() => undefined);
  return paths.includes(`${target}.json`) || paths.includes(`${target}.pending`);
}

async function entriesOf(directory: string): Promise<Dirent[]> {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw failure;
  }
}
