// Opens this node's journals, with the kernel that their changes are performed on.
import * as host from "host";
import { isErrno } from "../errno.ts";
import type { NodeDevices } from "../kernel/devices.ts";
import { openDirectory } from "../kernel/directory.ts";
import { namespacesIn } from "../kernel/namespaces.ts";
import type { NetnsKernel } from "../kernel/netns.ts";
import { devicesIn } from "../kernel/pci.ts";
import { sharedDirectory } from "../kernel/roots.ts";
import { type Allocation, Allocations } from "../plan/allocations.ts";
import { Attachments } from "../plan/attachments.ts";
import { type Change, changeKinds } from "../plan/change.ts";
import { type DeviceChange, deviceChangeKinds } from "../plan/device.ts";
import type { Directory } from "../plan/directory.ts";
import type { Entry } from "../plan/entry.ts";
import { Journal } from "../plan/journal.ts";
import type { RecordRules } from "../plan/record.ts";
import { release } from "../release.ts";

/** How long a runtime's call waits for another call that holds the same pod or device. */
const lockTimeoutMs = { pod: 20_000, device: 30_000 } as const;

/** How long an operator command waits for it. */
export const commandLockTimeoutMs = 2_000;

/** The plugin whose records are opened, and what it records. */
export interface Recording {
  readonly name: string;
  /** The sysctls that the plugin changes. Default: all of a network namespace. */
  readonly sysctls?: RegExp;
}

/** Returns the attachments whose journal is in `directory`. */
export function attachmentsIn(
  { name, sysctls }: Recording,
  directory: string,
  timeoutMs: number = lockTimeoutMs.pod,
): Attachments<NetnsKernel> {
  const rules = { plugin: name, changes: changeKinds, ...(sysctls !== undefined && { sysctls }) };
  const journal = journalIn<Entry>(directory, rules);
  return new Attachments(journal, namespacesIn(timeoutMs), () => othersThan(journal));
}

/** Returns the devices whose journal is in `directory`. */
export function allocationsIn(
  { name }: Recording,
  directory: string,
  timeoutMs: number = lockTimeoutMs.device,
): Allocations<NodeDevices> {
  const journal = journalIn<Allocation>(directory, { plugin: name, changes: deviceChangeKinds });
  return new Allocations(journal, devicesIn(timeoutMs));
}

/** Returns the records in a directory, of whichever plugin. */
export function recordsOf(directory: string): Journal<Entry<Change | DeviceChange>> {
  return journalIn(directory, {});
}

function journalIn<E extends Entry<unknown>>(directory: string, rules: RecordRules): Journal<E> {
  return new Journal<E>(directory, openDirectory, { ...rules, version: release }, host.sha256);
}

/**
 * The directory in which every journal of the node has an empty file: its path, encoded as in a
 * URL. By it, plugins find the records of each other.
 */
const registry = "journals";

/** Returns the paths of the node's journals. Changes nothing. */
export function registeredJournals(): string[] {
  return inRegistry({ create: false }, (directory) => directory.names().map(decodeURIComponent)) ?? [];
}

/**
 * Returns the node's other journals, and registers this one. When it is new, records of version
 * 0.1.0 may be in it.
 */
function othersThan(journal: Journal): Journal[] {
  register(journal);
  return registeredJournals()
    .filter((path) => path !== journal.path)
    .map((path) => journalIn<Entry>(path, {}));
}

function register(journal: Journal): void {
  const name = encodeURIComponent(journal.path);
  // NAME_MAX of <linux/limits.h>. Such a journal is not found by other plugins.
  if (name.length > 255) return;
  try {
    inRegistry({ create: true }, (directory) => {
      if (directory.has(name)) return;
      journal.indexFormat1();
      directory.create(name, "");
    });
  } catch (failure) {
    // EEXIST: another call was faster. Without a writable file system, nothing can be recorded.
    if (!isErrno(failure, "EEXIST", "EROFS")) throw failure;
  }
}

function inRegistry<T>(options: { readonly create: boolean }, work: (directory: Directory) => T): T | undefined {
  const shared = sharedDirectory(options);
  const directory = shared?.open(registry, options);
  try {
    return directory && work(directory);
  } finally {
    directory?.close();
    shared?.close();
  }
}
