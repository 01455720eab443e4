// What is recorded of an attachment.
import type { Change } from "./change.ts";

/**
 * Identifies a network namespace or a device. The kernel may use the inode number again, also while
 * the node runs.
 */
export interface Identity {
  readonly device: number;
  readonly inode: number;
  /** The kernel's cookie of a namespace: unique until the next boot. */
  readonly cookie?: string;
  /** The boot during which the rest was read: /proc/sys/kernel/random/boot_id. */
  readonly boot?: string;
}

/** Whether two identities are of the same object. Compares what both of them have. */
export function isSameIdentity(one: Identity, other: Identity): boolean {
  if (one.boot !== undefined && other.boot !== undefined && one.boot !== other.boot) return false;
  if (one.cookie !== undefined && other.cookie !== undefined) return one.cookie === other.cookie;
  return one.device === other.device && one.inode === other.inode;
}

/** What a runtime calls an attachment by. */
export interface Attachment {
  readonly containerId: string;
  readonly ifname: string;
}

export function isSameAttachment(one: Attachment, other: Attachment): boolean {
  return one.containerId === other.containerId && one.ifname === other.ifname;
}

/** The pod of an attachment, as kubelet names it in CNI_ARGS. */
export interface PodName {
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
}

/** One attachment's record. `C` is the type of its changes. */
export interface Entry<C = Change> extends Attachment {
  /** The network's name in the configuration. */
  readonly network: string;
  readonly pod?: PodName;
  /** The namespace, and its path at the time of ADD. */
  readonly netns: Identity & { readonly path: string };
  /** When the entry was made, in milliseconds of CLOCK_MONOTONIC. */
  readonly time: number;
  readonly changes: readonly C[];
  /** The device, if the attachment holds one. */
  readonly device?: Identity & { readonly address: string };
}

/** An entry, and whether its ADD is `pending`: it runs, or was killed. */
export interface Recorded<E = Entry> {
  readonly entry: E;
  readonly pending: boolean;
}

/** What must be known of an entry to remove it. */
export type Removable = Attachment & { readonly device?: Entry["device"] | undefined };
