// What the rules have to know of an executable, and what they stand on when they call it.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join, relative } from "node:path";
import type { Netconf } from "../../harness/attachment.ts";
import type { Namespace } from "../../harness/namespaces.ts";
import type { Call, Result } from "../../harness/plugin.ts";
import type { Scope } from "../../harness/scope.ts";
import type { Snapshot } from "../../harness/snapshot.ts";

/** An executable of ours. */
export interface Subject {
  readonly name: string;
  /** The file. */
  readonly path: string;
  /**
   * Whether there is here what its ADD binds, so that one can succeed: if not, only the rules are
   * tried that need none.
   */
  readonly attaches: boolean;
  /** Whether its configuration may, or has to, name an IPAM plugin. */
  readonly ipam: "refused" | "optional" | "required";
  /** Where what it attaches can be seen from: the pod's namespace, or the node's alone. */
  readonly reach: "pod" | "node";
  /** Whether it records its attachments in files below the field `dataDir`. */
  readonly records: boolean;
  /**
   * The names of the links that ADD reports behind those of prevResult, of an attachment of eth0.
   */
  readonly appended: readonly string[];
  /** Makes a pod that is not attached yet; `beside` is one whose journal it shares. */
  ground(scope: Scope, beside?: Ground): Promise<Ground>;
  /** The whole result where there is no prevResult, in a version. */
  result(version: string, ground: Ground): Netconf;
  /** What the kernel here may make it say on standard error at every ADD. */
  readonly remark?: RegExp;
  /**
   * Where the guest's MAC address can be asked for: what the result of ADD behind {@link
   * Ground.previousResult} says that it is.
   */
  readonly guestMac?: (result: Result) => string | undefined;
}

/** A pod, and a call that attaches it. */
export interface Ground {
  readonly call: Call;
  /** `cniVersion` 1.1.0, `name`, `type`, and what else it takes. */
  readonly netconf: Netconf;
  readonly namespace: Namespace;
  /** The directory below which `dataDir` is, and nothing of others. */
  readonly directory: string;
  /**
   * All that ADD may change and DEL has to give back, at pod and devices, and all files below
   * {@link directory}.
   */
  state(): Promise<Snapshot>;
  /**
   * What no verb has any business with, such as the node's own network; looked at after each rule.
   */
  surroundings(): Promise<Snapshot>;
  /**
   * What a plugin before this one in a list gives, in a version, with `custom` keys that nobody
   * knows.
   */
  previousResult(version: string): Netconf;
  /**
   * Changes something that ADD made, as somebody with a shell would. Gives what takes that back.
   */
  meddle(): Promise<() => Promise<void>>;
}

/**
 * A line for each file below a directory, its content at the end; none where the directory is
 * missing.
 */
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
