// Opens this node's journals, with the kernel that their changes are performed on.
import * as host from "host";
import { ignoring } from "../errno.ts";
import { failuresOf } from "../failures.ts";
import type { NodeDevices } from "../kernel/devices.ts";
import { openJournal } from "../kernel/directory.ts";
import { namespacesIn } from "../kernel/namespaces.ts";
import type { NetnsKernel } from "../kernel/netns.ts";
import { devicesIn } from "../kernel/pci.ts";
import { type SharedDirectory, sharedDirectory } from "../kernel/roots.ts";
import { type Allocation, Allocations } from "../plan/allocations.ts";
import { Attachments } from "../plan/attachments.ts";
import { type Change, changeKinds } from "../plan/change.ts";
import { type DeviceChange, deviceChangeKinds } from "../plan/device.ts";
import { type Directory, remove, removeDirectory } from "../plan/directory.ts";
import type { Entry } from "../plan/entry.ts";
import { Journal } from "../plan/journal.ts";
import type { RecordRules } from "../plan/record.ts";
import { directoryNameOf } from "../plan/record-file.ts";
import type { Neighbors } from "../plan/siblings.ts";
import { release } from "../release.ts";

/** How long a runtime's call waits for another call that holds the same pod or device. */
const lockTimeoutMs = { pod: 20_000, device: 30_000 } as const;

/** How long an operator command waits for it. */
export const commandLockTimeoutMs = 2_000;

/** The directories of the containers, in the directory that all plugins share. */
type OpenPods = (options: { readonly create: boolean }) => Directory | undefined;

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
  { timeoutMs = lockTimeoutMs.pod, shared = sharedDirectory() }: { timeoutMs?: number; shared?: SharedDirectory } = {},
): Attachments<NetnsKernel> {
  const rules = { plugin: name, changes: changeKinds, ...(sysctls !== undefined && { sysctls }) };
  const journal = journalIn<Entry>(directory, rules);
  return new Attachments(journal, namespacesIn(timeoutMs, shared), neighborsOf(journal, shared));
}

/** Returns the devices whose journal is in `directory`. */
export function allocationsIn(
  { name }: Recording,
  directory: string,
  timeoutMs: number = lockTimeoutMs.device,
): Allocations<NodeDevices> {
  const journal = journalIn<Allocation>(directory, { plugin: name, changes: deviceChangeKinds });
  return new Allocations(journal, devicesIn(timeoutMs, sharedDirectory()));
}

/** Returns the records in a directory, of whichever plugin. */
export function recordsOf(directory: string): Journal<Entry<Change | DeviceChange>> {
  return journalIn(directory, {});
}

function journalIn<E extends Entry<unknown>>(directory: string, rules: RecordRules): Journal<E> {
  return new Journal<E>(directory, openJournal, { ...rules, version: release }, host.sha256);
}

/** Returns the paths of the journals that have records of pods. Changes nothing. */
export function knownJournals(shared: SharedDirectory): string[] {
  const found = new Set<string>();
  const pods = podsIn(shared)({ create: false });
  for (const name of pods?.names() ?? []) {
    const pod = pods!.open(name, { create: false });
    for (const path of pod?.names() ?? []) found.add(decodeURIComponent(path));
    pod?.close();
  }
  return [...found].sort();
}

/** Returns the paths of the journals that have records of a container. Changes nothing. */
export function journalsOf(containerId: string, shared: SharedDirectory): string[] {
  const pod = podsIn(shared)({ create: false })?.open(directoryNameOf(containerId, host.sha256), { create: false });
  const paths = (pod?.names() ?? []).map((name) => decodeURIComponent(name));
  pod?.close();
  return paths;
}

/**
 * Each container has a directory with an empty file for each journal that holds records of it. The
 * file's name is the journal's path, encoded as in a URL.
 */
function neighborsOf(journal: Journal, shared: SharedDirectory): Neighbors {
  const openPods = podsIn(shared);
  const own = encodeURIComponent(journal.path);
  // NAME_MAX of <linux/limits.h>. The records of such a journal are not found by other plugins.
  const fits = own.length <= 255;
  const inPod = <T>(containerId: string, create: boolean, work: (pod: Directory) => T): T | undefined => {
    const pod = openPods({ create })?.open(directoryNameOf(containerId, host.sha256), { create });
    try {
      return pod && work(pod);
    } finally {
      pod?.close();
    }
  };
  const leave = (containerId: string): void => {
    const isEmpty = inPod(containerId, false, (pod) => {
      remove(pod, own);
      return pod.names().length === 0;
    });
    if (isEmpty !== true) return;
    const pods = openPods({ create: false });
    if (pods !== undefined) removeDirectory(pods, directoryNameOf(containerId, host.sha256));
  };
  return {
    probe() {
      openPods({ create: true });
    },
    join(containerId) {
      if (!fits) return;
      try {
        inPod(containerId, true, (pod) => {
          if (!pod.has(own)) pod.create(own, "");
        });
      } catch (failure) {
        // The error to report is the first one.
        failuresOf([() => leave(containerId)]);
        throw failure;
      }
    },
    leave,
    others(containerId) {
      if (fits) indexOnce(journal, own, shared);
      const paths = inPod(containerId, false, (pod) => pod.names()) ?? [];
      return paths.filter((name) => name !== own).map((name) => journalIn<Entry>(decodeURIComponent(name), {}));
    },
  };
}

/**
 * Version 0.1.0 may have left records in a journal that this executable sees for the first time.
 * It may have been installed again in between: then the executable's file is another one, or has
 * got its name again.
 */
function indexOnce(journal: Journal, name: string, shared: SharedDirectory): void {
  const seen = ignoring(["EROFS"], () => shared({ create: true })!.open("journals", { create: true }));
  try {
    if (seen === undefined) return;
    const { device, inode, changed } = host.stat("/proc/self/exe");
    const reader = `${device} ${inode} ${changed}`;
    if (seen.target(name) === reader) return;
    journal.indexFormat1();
    // EEXIST: another call was faster. The others: the next call does it again.
    ignoring(["EEXIST", "EROFS", "ENOSPC", "EDQUOT"], () => {
      if (seen.has(name)) remove(seen, name);
      // Read as a text and never followed: it is created whole, also if there is no room for files.
      seen.link(name, reader);
    });
  } finally {
    seen?.close();
  }
}

/** Opens the directory when it is first needed, and only once. It stays open. */
function podsIn(shared: SharedDirectory): OpenPods {
  let pods: Directory | undefined;
  return (options) => {
    pods ??= shared(options)?.open("pods", options);
    return pods;
  };
}
