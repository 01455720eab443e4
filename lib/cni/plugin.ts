// What an author writes: a plugin is a name, a schema, and a function for each verb.
// lib/command/serve.ts turns it into an executable.
import type { Args } from "./environment.ts";
import type { JsonObject } from "./json.ts";
import type { Result } from "./results.ts";
import type { Version } from "./versions.ts";

/**
 * A CNI plugin. `C` is its validated conf. `D` is what remains of an invalid netconf, for the verbs
 * that clean up.
 *
 * Every verb may throw anything: failure.ts turns it into a CNI error on standard output.
 */
export interface Plugin<C, D = Partial<C>> {
  /** The executable's name, such as `bridge-binding`. */
  readonly name: string;
  /** What it is for, in one line, for an operator who runs it by hand. */
  readonly about: string;
  readonly schema: NetconfSchema<C, D>;
  /**
   * Whether the plugin uses the addresses of the IPAM plugin that the netconf names.
   *
   * If true, ADD has `ipam`, and DEL, CHECK, GC and STATUS call the IPAM plugin after this plugin.
   * Otherwise a netconf that names an IPAM plugin is refused.
   */
  readonly ipam?: boolean;
  /**
   * Attaches. Returns the result in the newest version; the framework converts it. If it throws, it
   * must have undone its own changes.
   */
  add(call: AddCall<C>): Result;
  /**
   * Detaches. Succeeds if there is nothing left to do: without a namespace, without prevResult,
   * without most of the netconf.
   *
   * Also called to roll back an ADD that succeeded and whose result could not be printed.
   */
  del(call: DelCall<D>): void;
  /** Throws if the state differs from what ADD left. */
  check(call: AddCall<C> & { readonly prevResult: Result }): void;
  /**
   * Removes what exists for attachments of this network that are not `valid`. Goes on after a
   * failure, and throws all of them.
   */
  gc(call: GcCall<D>): void;
  /** Throws a CniError 50 or 51 if no ADD could be served. */
  status(call: StatusCall<C>): void;
}

/** Validates netconfs. {@link defineSchema} creates one from a table of fields. */
export interface NetconfSchema<C, D = Partial<C>> {
  /** Validates. Throws a CniError 7 that lists all faults. */
  parse(object: JsonObject): C;
  /**
   * Returns the valid fields and leaves out the rest: DEL and GC must clean up even if the netconf
   * has become invalid. Never throws. Calls `warn` if ignoring a value has consequences.
   */
  salvage(object: JsonObject, warn?: (text: string) => void): D;
}

/** What every verb receives. */
export interface Call {
  /** The network's name. */
  readonly network: string;
  /** The version of the netconf and of the result. */
  readonly cniVersion: Version;
  /** The netconf as it was received. */
  readonly object: JsonObject;
  /** Warns the operator: the text becomes part of the call's line in the log (log.ts). */
  readonly warn: (text: string) => void;
}

/** The attachment, and what its call carries. */
export interface AttachmentParameters {
  readonly containerId: string;
  /** CNI_IFNAME. */
  readonly ifname: string;
  /** CNI_ARGS. */
  readonly args: Args;
  /** The result of the plugins before this one in a chain. */
  readonly prevResult?: Result;
}

/** A call of ADD or CHECK. */
export interface AddCall<C> extends Call, AttachmentParameters {
  readonly conf: C;
  readonly netns: Netns;
  /**
   * Only in ADD: the IPAM plugin, if the netconf names one. The framework calls its DEL, CHECK, GC
   * and STATUS; also its DEL if ADD fails later.
   */
  readonly ipam?: Ipam;
}

/** A call of DEL. */
export interface DelCall<D> extends Call, AttachmentParameters {
  readonly conf: D;
  /** Absent if the namespace does not exist. */
  readonly netns?: Netns;
}

/** A call of GC. */
export interface GcCall<D> extends Call {
  readonly conf: D;
  /**
   * The attachments to keep. If the runtime passed no list, not even an empty one, `gc` is not
   * called.
   */
  readonly valid: readonly ValidAttachment[];
}

/** A call of STATUS. */
export interface StatusCall<C> extends Call {
  readonly conf: C;
}

/** The container's network namespace, open. */
export interface Netns {
  /** CNI_NETNS verbatim, which is also the result's `sandbox`. */
  readonly path: string;
  /** Stays open until the process ends. */
  readonly fd: number;
  /** Device and inode identify the namespace, because its path may be reused. */
  readonly device: number;
  readonly inode: number;
}

/** The IPAM plugin. */
export interface Ipam {
  /**
   * Runs its ADD. If that fails, runs its DEL and throws the failure. Returns addresses, routes and
   * DNS; the caller fills in `interface`.
   */
  add(): Result;
}

/** One entry of `cni.dev/valid-attachments`. */
export interface ValidAttachment {
  readonly containerID: string;
  readonly ifname: string;
}
