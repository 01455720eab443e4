// Prepares several attachments of one pod, as for a VM with several passt networks.
import type { Attachment, Netconf } from "../../../harness/attachment.ts";
import type { Pod } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { passtOf } from "./rights.ts";

/**
 * Prepares an attachment for each configuration, but calls no plugin.
 *
 * The attachments are named `net1`, `net2` and so on. All are in one journal.
 */
export async function passtsOf<const T extends readonly Netconf[]>(scope: Scope, pod: Pod, netconfs: T) {
  const { dataDir } = await passtOf(scope, pod);
  const passts = netconfs.map((netconf, position) =>
    passtOf(scope, pod, { ifname: `net${position + 1}`, dataDir, netconf }),
  );
  return (await Promise.all(passts)) as unknown as { readonly [K in keyof T]: Attachment };
}

/** Returns all permutations of a list. */
export function orders<const T extends readonly unknown[]>(list: T): { readonly [K in keyof T]: T[number] }[] {
  if (list.length === 0) return [[] as never];
  return list.flatMap((one, position) => orders(list.toSpliced(position, 1)).map((rest) => [one, ...rest] as never));
}
