// What a plugin is: a name, a configuration, and a function for each verb. lib/command/serve.ts
// makes an executable of it.
import type { Args } from "./environment.ts";
import type { JsonObject } from "./json.ts";
import type { Result } from "./results.ts";
import type { Version } from "./versions.ts";

/**
 * A CNI plugin. `C` is its configuration, validated; `D` is what is left of one that is faulty, for
 * the verbs that clean up.
 * Every verb may throw anything: it becomes a CNI error on standard output (failure.ts).
 */
export interface Plugin<C, D = Partial<C>> {
  /** The executable's name, such as `bridge-binding`. */
  readonly name: string;
  /** What it is for, in one line, for the one who runs it by hand. */
  readonly about: string;
  readonly schema: NetconfSchema<C, D>;
  /**
   * Whether it takes addresses from the IPAM plugin that the configuration names. Then `ipam` is
   * there in ADD, and DEL, CHECK, GC and STATUS are passed on
   * to the IPAM plugin after this one's own. Otherwise a configuration that names one is refused.
   */
  readonly ipam?: boolean;
  /**
   * Attaches. Gives the result in the newest version's shape; it is converted. Must have undone its
   * own changes when it throws.
   */
  add(call: AddCall<C>): Result;
  /**
   * Detaches: succeeds when there is nothing (left) to do, without a namespace, without prevResult,
   * without most of the configuration.
   * Also called to roll back where ADD succeeded and its result could not be handed over.
   */
  del(call: DelCall<D>): void;
  /** Throws where something is not as ADD left it. */
  check(call: AddCall<C> & { readonly prevResult: Result }): void;
  /**
   * Removes what is there for attachments of this network that are not `valid`. Goes on past
   * failures, and throws them all.
   */
  gc(call: GcCall<D>): void;
  /** Throws a CniError 50 or 51 where an ADD could not be served. */
  status(call: StatusCall<C>): void;
}

/** How a configuration is read. {@link defineSchema} makes one from a table of fields. */
export interface NetconfSchema<C, D = Partial<C>> {
  /** Validates. Throws a CniError 7 that lists all faults. */
  parse(object: JsonObject): C;
  /**
   * Takes what is valid and leaves out the rest: for DEL and GC, which must clean up whatever has
   * become of the configuration. Never throws; `warn` is called where ignoring a value has
   * consequences.
   */
  salvage(object: JsonObject, warn?: (text: string) => void): D;
}

/** What all verbs are told. */
export interface Call {
  /** The network's name. */
  readonly network: string;
  /** The configuration's version, which the result will be in. */
  readonly cniVersion: Version;
  /** The configuration as it came. */
  readonly object: JsonObject;
  /** Says something to the operator: it becomes part of the call's line in the log (log.ts). */
  readonly warn: (text: string) => void;
}

/** What is attached. */
export interface AttachmentParameters {
  readonly containerId: string;
  /** CNI_IFNAME. */
  readonly ifname: string;
  /** CNI_ARGS. */
  readonly args: Args;
  /** What the plugins before this one in a chain gave. */
  readonly prevResult?: Result;
}

/** ADD and CHECK. */
export interface AddCall<C> extends Call, AttachmentParameters {
  readonly conf: C;
  readonly netns: Netns;
  /**
   * The IPAM plugin, where the configuration names one. Its DEL, CHECK, GC and STATUS are run
   * without the plugin's doing, its DEL also where ADD fails later.
   */
  readonly ipam?: Ipam;
}

/** DEL. */
export interface DelCall<D> extends Call, AttachmentParameters {
  readonly conf: D;
  /** Absent where there is no such namespace (any more). */
  readonly netns?: Netns;
}

/** GC. */
export interface GcCall<D> extends Call {
  readonly conf: D;
  /**
   * The attachments that shall stay. Where the runtime named none, not even an empty list, `gc` is
   * not called.
   */
  readonly valid: readonly ValidAttachment[];
}

/** STATUS. */
export interface StatusCall<C> extends Call {
  readonly conf: C;
}

/** The container's network namespace, open. */
export interface Netns {
  /** CNI_NETNS verbatim, as `sandbox` has it. */
  readonly path: string;
  /** Stays open until the process ends. */
  readonly fd: number;
  /** These two tell namespaces apart: the path may be used again for another one. */
  readonly device: number;
  readonly inode: number;
}

/** The IPAM plugin. */
export interface Ipam {
  /**
   * Runs its ADD. If that fails its DEL is run, and the failure thrown. Gives addresses, routes and
   * DNS; `interface` is for the caller to fill in.
   */
  add(): Result;
}

/** One entry of `cni.dev/valid-attachments`. */
export interface ValidAttachment {
  readonly containerID: string;
  readonly ifname: string;
}
