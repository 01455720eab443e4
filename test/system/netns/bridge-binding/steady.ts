// A pod at rest: ADD has ended, and what the kernel does later of its own accord has ended too.
import { setTimeout as sleep } from "node:timers/promises";
import type { Pod } from "../../../harness/pod.ts";
import { differences, type Snapshot, snapshot } from "../../../harness/snapshot.ts";

/**
 * Takes a snapshot as soon as there have been two that are the same, 100 ms apart: on a link
 * without a carrier, such as the placeholder, the kernel
 * finishes with an IPv6 address some time after it was assigned (addrconf_dad_work), and shows no
 * sign of being busy with it.
 */
export async function steady({ namespace }: Pod): Promise<Snapshot> {
  for (let last = await snapshot(namespace); ; ) {
    await sleep(100);
    const next = await snapshot(namespace);
    if (differences(last, next).length === 0) return next;
    last = next;
  }
}
