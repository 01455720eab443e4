// Prepares attachments of passt-binding, and reads and sets the two sysctls that it changes.
import { execa } from "execa";
import { type Attachment, type AttachmentOptions, attachmentOf, type Netconf } from "../../../harness/attachment.ts";
import { writeSysctls } from "../../../harness/ip.ts";
import { type Namespace, within } from "../../../harness/namespaces.ts";
import { createPod, type Pod } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { type Snapshot, snapshot } from "../../../harness/snapshot.ts";

/** Prepares an attachment, but calls no plugin. */
export function passtOf(scope: Scope, pod: Pod, options?: AttachmentOptions): Promise<Attachment> {
  return attachmentOf(scope, "passt-binding", pod, options);
}

/**
 * What processes without capabilities may do in a namespace.
 *
 * These are the lowest port that they may bind, and the first and the last group that may send
 * pings. `1 0` stands for no group.
 */
export type Rights = readonly [lowestPort: string, groups: string];

/** The rights in a new namespace. */
export const closed: Rights = ["1024", "1 0"];
/** The rights after ADD in a new namespace, with the default configuration. */
export const open: Rights = ["0", "107 107"];

const files = ["net/ipv4/ip_unprivileged_port_start", "net/ipv4/ping_group_range"] as const;

/** Reads the rights from the kernel. Replaces its tabs by spaces. */
export async function rightsIn(namespace: Namespace): Promise<Rights> {
  const [file, ...args] = within(namespace, "cat", ...files.map((path) => `/proc/sys/${path}`));
  const [lowestPort, groups] = (await execa(file, args)).stdout.replaceAll("\t", " ").split("\n");
  return [lowestPort!, groups!];
}

/** Sets the rights, as another plugin, the runtime or an operator does. */
export function setRights(namespace: Namespace, rights: Rights): Promise<void> {
  return writeSysctls(namespace, { [files[0]]: rights[0], [files[1]]: rights[1] });
}

/** A pod and its attachment. */
export interface Prepared {
  readonly pod: Pod;
  readonly passt: Attachment;
  /** The pod's namespace before ADD. */
  readonly before: Snapshot;
}

/** Creates a pod without a network, and adds an attachment with these fields. */
export async function prepared(t: Scope, netconf: Netconf = {}): Promise<Prepared> {
  const pod = await createPod(t);
  const before = await snapshot(pod.namespace);
  const passt = await passtOf(t, pod, { netconf });
  await passt.add();
  return { pod, passt, before };
}
