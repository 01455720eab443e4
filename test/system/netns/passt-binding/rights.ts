// passt-binding on a pod, and the two sysctls that are all it is about.
import { execa } from "execa";
import { type Attachment, type AttachmentOptions, attachmentOf, type Netconf } from "../../../harness/attachment.ts";
import { writeSysctls } from "../../../harness/ip.ts";
import { type Namespace, within } from "../../../harness/namespaces.ts";
import { createPod, type Pod } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { type Snapshot, snapshot } from "../../../harness/snapshot.ts";

/** Prepares an attachment; nothing is called yet. */
export function passtOf(scope: Scope, pod: Pod, options?: AttachmentOptions): Promise<Attachment> {
  return attachmentOf(scope, "passt-binding", pod, options);
}

/**
 * What processes without capabilities may do in a namespace: the lowest port that they may bind,
 * and first and last group that may send pings, `1 0` being none.
 */
export type Rights = readonly [lowestPort: string, groups: string];

/** What the kernel gives to a new namespace. */
export const closed: Rights = ["1024", "1 0"];
/** What ADD makes of that unless told otherwise. */
export const open: Rights = ["0", "107 107"];

const files = ["net/ipv4/ip_unprivileged_port_start", "net/ipv4/ping_group_range"] as const;

/** What is set, by the kernel's word; a tab is a space. */
export async function rightsIn(namespace: Namespace): Promise<Rights> {
  const [file, ...args] = within(namespace, "cat", ...files.map((path) => `/proc/sys/${path}`));
  const [lowestPort, groups] = (await execa(file, args)).stdout.replaceAll("\t", " ").split("\n");
  return [lowestPort!, groups!];
}

/** Sets them, as another plugin, the runtime or somebody with a shell does. */
export function setRights(namespace: Namespace, rights: Rights): Promise<void> {
  return writeSysctls(namespace, { [files[0]]: rights[0], [files[1]]: rights[1] });
}

/** A pod and an attachment of it. */
export interface Prepared {
  readonly pod: Pod;
  readonly passt: Attachment;
  /** The pod's namespace before ADD. */
  readonly before: Snapshot;
}

/** A pod without a network, where an ADD with these fields has succeeded. */
export async function prepared(t: Scope, netconf: Netconf = {}): Promise<Prepared> {
  const pod = await createPod(t);
  const before = await snapshot(pod.namespace);
  const passt = await passtOf(t, pod, { netconf });
  await passt.add();
  return { pod, passt, before };
}
