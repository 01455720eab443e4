// Runs cnitool, containernetworking's own program to call libcni. It knows plugin lists only.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { Netconf } from "./attachment.ts";
import { peers } from "./multus.ts";
import { within } from "./namespaces.ts";
import type { Result } from "./plugin.ts";
import type { Pod } from "./pod.ts";
import { type Recorder, recordCalls } from "./recorded-calls.ts";
import type { Scope } from "./scope.ts";

/** A network configuration list (SPEC.md, section 1). */
export interface NetworkList {
  readonly cniVersion: string;
  readonly name: string;
  /** Whether libcni skips CHECK. */
  readonly disableCheck?: boolean;
  readonly plugins: readonly Netconf[];
}

export interface Outcome {
  readonly status: number | undefined;
  /** ADD's result. */
  readonly result?: Result;
  /** The plugin's error in libcni's words: its `msg`, then `details`. */
  readonly stderr: string;
}

export interface Cnitool extends Recorder {
  /**
   * The directory with libcni's cached results. It also holds host-local's leases if the netconf
   * sets no `dataDir`.
   */
  readonly state: string;
  /** `env` may set CAP_ARGS, CNI_ARGS and CNI_IFNAME (default: eth0). */
  run(verb: "add" | "check" | "del" | "gc" | "status", env?: Readonly<Record<string, string>>): Promise<Outcome>;
}

/**
 * libcni always uses a cache below /var/lib. A mount namespace puts a directory of the test there,
 * so that no other process sees it.
 */
const withState = ["unshare", "--mount", "--", "sh", "-c", 'mount --bind "$1" /var/lib && shift && exec "$@"', "sh"];

/**
 * Prepares cnitool for one network of one pod. Calls no plugin.
 *
 * `executables` are the plugins that cnitool can find.
 */
export function cnitoolFor(scope: Scope, pod: Pod, list: NetworkList, executables: readonly string[]): Cnitool {
  const directory = mkdtempSync(join(tmpdir(), "cnitool-"));
  scope.teardown(() => rmSync(directory, { recursive: true }));
  const [lists, state] = [join(directory, "net.d"), join(directory, "state")];
  for (const each of [lists, state]) mkdirSync(each);
  writeFileSync(join(lists, `${list.name}.conflist`), JSON.stringify(list));
  const recorder = recordCalls(scope, executables);
  return {
    ...recorder,
    state,
    run: async (verb, env) => {
      const command = [...withState, state, `${peers}/cnitool`, verb, list.name, pod.namespace.path];
      const [file, ...args] = within(pod.node, ...command);
      const { exitCode, stdout, stderr } = await execa(file, args, {
        reject: false,
        extendEnv: false,
        env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", CNI_PATH: recorder.directory, NETCONFPATH: lists, ...env },
        timeout: 60_000,
      });
      return { status: exitCode, stderr, ...(stdout !== "" && { result: JSON.parse(stdout) as Result }) };
    },
  };
}
