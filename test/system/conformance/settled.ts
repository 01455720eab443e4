// The state of a ground after the kernel has finished its changes, and the differences.
import { setTimeout as sleep } from "node:timers/promises";
import { differences, type Snapshot } from "../../harness/snapshot.ts";
import { emulated } from "./emulation.ts";
import type { Ground } from "./subject.ts";

/**
 * Returns the state once two states, 100 ms apart, are equal. The kernel completes IPv6 addresses
 * some time after ADD assigned them, and does not show that it is still busy.
 */
export async function steadyState(ground: Ground): Promise<Snapshot> {
  for (let last = await ground.state(); ; ) {
    await sleep(100);
    const next = await ground.state();
    if (differences(last, next).length === 0) return next;
    last = next;
  }
}

/** The time that the kernel may take for changes that it completes after a call. */
const settleTimeoutMs = emulated ? 20_000 : 3000;

/** The differences of the ground from `before`, after it has settled. */
export async function settledState(ground: Ground, before: Snapshot): Promise<string[]> {
  const deadline = Date.now() + settleTimeoutMs;
  for (;;) {
    const found = differences(before, await ground.state());
    if (found.length === 0 || Date.now() > deadline) return found;
    await sleep(50);
  }
}
