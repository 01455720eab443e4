// bridge-binding on a pod, called as a runtime calls it: every verb with the same environment, configuration and journal.
import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Answer, type Call, callPlugin, callSuccessfully } from "../../harness/plugin.ts";
import type { Pod } from "../../harness/pod.ts";
import type { Scope } from "../../harness/scope.ts";

/** A network's configuration, or some fields of one. */
export type Netconf = Readonly<Record<string, unknown>>;

export interface BindingOptions {
  /** CNI_IFNAME: `net1` unless told, as Multus has it for the first binding. */
  readonly ifname?: string;
  /** Fields beside, or in place of, those of {@link Binding.netconf}. */
  readonly netconf?: Netconf;
  /** What else the runtime tells, such as `{ args: "MAC=…" }`. */
  readonly call?: Call;
  /** Where attachments are recorded: a new directory unless told. */
  readonly dataDir?: string;
}

/** One attachment. */
export interface Binding {
  readonly call: Call;
  /** `cniVersion` 1.1.0, `name`, `type`, `dataDir`, and `args.cni.logicNetworkName` blue as KubeVirt sends it, unless in a chain. */
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

/** The pod link that stands for the network `blue`: `pod` and eleven digits of its SHA-256 (KubeVirt, namescheme/networknamescheme.go). */
export const blue = "pod16477688c0e";

/** Prepares one; nothing is called yet. */
export async function bindingOf(scope: Scope, pod: Pod, options: BindingOptions = {}): Promise<Binding> {
  const dataDir = options.dataDir ?? (await newDataDir(scope));
  const call = { ...pod.call(options.ifname ?? "net1"), ...options.call };
  const netconf: Netconf = {
    cniVersion: "1.1.0",
    name: "bridge-binding",
    type: "bridge-binding",
    dataDir,
    ...(options.netconf?.["prevResult"] === undefined && { args: { cni: { logicNetworkName: "blue" } } }),
    ...options.netconf,
  };
  const plugin = "bridge-binding";
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

/** A path for a journal, two directories of which are not there yet. */
export async function newDataDir(scope: Scope): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "journal-"));
  await chmod(directory, 0o755);
  scope.teardown(() => rm(directory, { recursive: true, force: true }));
  return join(directory, "run", "bridge-binding");
}

async function filesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw failure;
  }
}
