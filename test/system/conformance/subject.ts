// The subject of the rules, an executable, and the ground on which they call it.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join, relative } from "node:path";
import type { Netconf } from "../../harness/attachment.ts";
import type { Namespace } from "../../harness/namespaces.ts";
import type { Call, Result } from "../../harness/plugin.ts";
import type { Scope } from "../../harness/scope.ts";
import type { Snapshot } from "../../harness/snapshot.ts";

export interface Subject {
  readonly name: string;
  readonly path: string;
  /** Whether this machine has what ADD binds. If not, only rules without `attaches` are tried. */
  readonly attaches: boolean;
  /** Whether its configuration may or must name an IPAM plugin. */
  readonly ipam: "refused" | "optional" | "required";
  /** Where the attachment is visible: in the pod's namespace, or only on the node. */
  readonly reach: "pod" | "node";
  /** Whether it records its attachments in files below the field `dataDir`. */
  readonly records: boolean;
  /** The names of the links that an ADD of eth0 reports after those of prevResult. */
  readonly appended: readonly string[];
  /** Creates a pod that is not attached yet. It shares the journal of `beside`. */
  ground(scope: Scope, beside?: Ground): Promise<Ground>;
  /** The whole result of ADD without a prevResult, in a version. */
  result(version: string, ground: Ground): Netconf;
  /** What each ADD prints on standard error if this kernel lacks a feature. */
  readonly remark?: RegExp;
  /**
   * Reads the guest's MAC address from the result of an ADD after {@link Ground.previousResult}.
   * Absent if the configuration cannot set the address.
   */
  readonly guestMac?: (result: Result) => string | undefined;
}

/** A pod, and a call that attaches it. */
export interface Ground {
  readonly call: Call;
  /** `cniVersion` 1.1.0, `name`, `type`, and the other required fields. */
  readonly netconf: Netconf;
  readonly namespace: Namespace;
  /** A directory of this ground alone, with `dataDir` in it. */
  readonly directory: string;
  /**
   * What ADD may change and DEL must restore, at the pod and at devices, and all files below
   * {@link directory}.
   */
  state(): Promise<Snapshot>;
  /** What no verb may change, such as the node's own network. Checked after each rule. */
  surroundings(): Promise<Snapshot>;
  /** The result of an earlier plugin in the chain, in a version, with unknown `custom` keys. */
  previousResult(version: string): Netconf;
  /** Reverts a change of ADD, as an operator could. Returns a function that repairs it. */
  meddle(): Promise<() => Promise<void>>;
}

/** A line for each file below a directory, with its content. Empty if the directory is missing. */
export function fileLines(directory: string): string[] {
  return entriesBelow(directory).map(({ path, isLink }) => {
    const content = isLink ? `-> ${readlinkSync(path)}` : readFileSync(path, "utf8");
    return `file ${relative(directory, path)} ${content}`;
  });
}

/** The paths of all files below a directory, without links. None if the directory is missing. */
export function filesBelow(directory: string): string[] {
  return entriesBelow(directory).flatMap(({ path, isLink }) => (isLink ? [] : [path]));
}

function entriesBelow(directory: string): { readonly path: string; readonly isLink: boolean }[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
      const path = join(directory, entry.name);
      return entry.isDirectory() ? entriesBelow(path) : [{ path, isLink: entry.isSymbolicLink() }];
    });
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw failure;
  }
}
