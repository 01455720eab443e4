// What a ground is like once the kernel is done with it, and how that differs from what it was.
import { setTimeout as sleep } from "node:timers/promises";
import { differences, type Snapshot } from "../../harness/snapshot.ts";
import { emulated } from "./emulation.ts";
import type { Ground } from "./subject.ts";

/**
 * Takes its state as soon as there have been two that are the same, 100 ms apart: after an ADD the
 * kernel finishes with IPv6 addresses some time after they were assigned, and shows no
 * sign of being busy with them.
 */
export async function steadyState(ground: Ground): Promise<Snapshot> {
  for (let last = await ground.state(); ; ) {
    await sleep(100);
    const next = await ground.state();
    if (differences(last, next).length === 0) return next;
    last = next;
  }
}

/**
 * How long the kernel may take for what it finishes after the call that asked for it, such as
 * removing an IPv6 address.
 */
const patience = emulated ? 20_000 : 3000;

/** How the ground differs from `before` once it has settled. Empty where all is as it was. */
export async function settledState(ground: Ground, before: Snapshot): Promise<string[]> {
  const deadline = Date.now() + patience;
  for (;;) {
    const found = differences(before, await ground.state());
    if (found.length === 0 || Date.now() > deadline) return found;
    await sleep(50);
  }
}
