// Waits until the kernel has finished its delayed work in a pod.
import { setTimeout as sleep } from "node:timers/promises";
import type { Pod } from "../../../harness/pod.ts";
import { differences, type Snapshot, snapshot } from "../../../harness/snapshot.ts";

/**
 * Returns a snapshot when two consecutive snapshots, 100 ms apart, are equal.
 *
 * On a link without a carrier, such as the placeholder, the kernel finishes the setup of an IPv6
 * address some time after its assignment (addrconf_dad_work). The kernel does not show that this
 * work is pending.
 */
export async function steady({ namespace }: Pod): Promise<Snapshot> {
  for (let last = await snapshot(namespace); ; ) {
    await sleep(100);
    const next = await snapshot(namespace);
    if (differences(last, next).length === 0) return next;
    last = next;
  }
}
