// Opens this node's journals, with the kernel that their changes are performed on.
import * as host from "host";
import type { NodeDevices } from "../kernel/devices.ts";
import { namespacesIn } from "../kernel/namespaces.ts";
import type { NetnsKernel } from "../kernel/netns.ts";
import { devicesIn } from "../kernel/pci.ts";
import { type Allocation, Allocations } from "../plan/allocations.ts";
import { Attachments } from "../plan/attachments.ts";
import { Journal } from "../plan/journal.ts";
import { faultOfChange } from "../plan/recordable.ts";

/** How long a runtime's call waits for another call that holds the same pod or device. */
const lockTimeoutMs = { pod: 20_000, device: 30_000 } as const;

/** How long an operator command waits for it. */
export const commandLockTimeoutMs = 2_000;

/** Returns the attachments whose journal is in `directory`. */
export function attachmentsIn(directory: string, timeoutMs: number = lockTimeoutMs.pod): Attachments<NetnsKernel> {
  return new Attachments(new Journal(directory, host, faultOfChange), namespacesIn(timeoutMs));
}

/** Returns the devices whose journal is in `directory`. */
export function allocationsIn(directory: string, timeoutMs: number = lockTimeoutMs.device): Allocations<NodeDevices> {
  return new Allocations(new Journal<Allocation>(directory, host, faultOfChange), devicesIn(timeoutMs));
}
