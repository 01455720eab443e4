// Locks that exclude other calls of these plugins. Only root can take them.
import * as host from "host";
import { ignoring, isErrno } from "../errno.ts";
import type { SharedDirectory } from "./roots.ts";

/** One byte of this file is the lock of one object. The file stays empty. */
const file = "locks";

/** The lowest offsets of the objects' bytes. Numbers below 2^53 are exact. */
const offsets = { netns: 0, device: 2 ** 50, turn: 2 ** 51 } as const;

/** What a lock is for. */
export interface Lockable {
  /** The byte of the lock file. */
  readonly offset: number;
  /** What version 0.1.0 takes a flock on instead. Absent if it takes none. */
  readonly formerly?: string;
}

/** A network namespace, by its inode number. `path` leads to it. */
export function netnsLock(inode: number, path: string): Lockable {
  return { offset: offsets.netns + inode, formerly: path };
}

/** A PCI device, by its address and its directory in sysfs. */
export function deviceLock(address: string, directory: string): Lockable {
  const [domain, bus, slot, fn] = address.split(/[:.]/).map((part) => Number.parseInt(part, 16)) as [
    number,
    number,
    number,
    number,
  ];
  return { offset: offsets.device + ((domain * 256 + bus) * 32 + slot) * 8 + fn, formerly: directory };
}

/** The turn of the calls that change many namespaces at once. */
export const turnLock: Lockable = { offset: offsets.turn };

/** Releases a lock. */
export type Release = () => void;

/**
 * Takes a lock. ETIMEDOUT if another call holds it for too long.
 *
 * If the file system is read-only or full, and the lock file was never created, there is no lock:
 * no call can write a record there.
 */
export function takeLock({ offset, formerly }: Lockable, timeoutMs: number, shared: SharedDirectory): Release {
  const end = host.monotonic() + timeoutMs;
  const lock = ignoring(["EROFS", "ENOSPC", "EDQUOT"], () => lockByte(offset, timeoutMs, shared));
  const held = lock === undefined ? [] : [lock];
  const release = (): void => {
    for (const fd of held) host.close(fd);
  };
  try {
    const former = formerly === undefined ? undefined : formerLock(formerly, end);
    if (former !== undefined) held.push(former);
  } catch (failure) {
    release();
    throw failure;
  }
  return release;
}

function lockByte(offset: number, timeoutMs: number, shared: SharedDirectory): number {
  return host.lock(file, timeoutMs, { in: shared({ create: true })!.fd, at: offset });
}

/**
 * Takes the lock of version 0.1.0, one of whose calls may still run after an upgrade: a flock on
 * the object itself, which is visible to a pod.
 *
 * Waits only for a process of our own mount namespace, as plugins are. Undefined if the holder is
 * another process: a pod can take this lock, and must not stop its own DEL.
 */
function formerLock(path: string, end: number): number | undefined {
  for (;;) {
    try {
      return host.lock(path, 0);
    } catch (failure) {
      if (!isErrno(failure, "ETIMEDOUT")) throw failure;
      if (!isHeldByPlugin(path)) return undefined;
      if (host.monotonic() >= end) throw failure;
    }
    host.sleep(10);
  }
}

/** Whether a process of our mount namespace holds the flock: proc_locks(5). */
function isHeldByPlugin(path: string): boolean {
  const { inode } = host.stat(path);
  const own = mountNamespaceOf("self");
  const locks = ignoring(["ENOENT"], () => host.readFile("/proc/locks")) ?? "";
  return [...locks.matchAll(/^\d+: FLOCK +\w+ +\w+ +(\d+) [0-9a-f]+:[0-9a-f]+:(\d+) /gm)].some(
    ([, pid, locked]) => Number(locked) === inode && own !== undefined && mountNamespaceOf(pid!) === own,
  );
}

/** Undefined if the process has ended, or is hidden from this one. */
function mountNamespaceOf(pid: string): number | undefined {
  return ignoring(["ENOENT", "ESRCH", "EACCES"], () => host.stat(`/proc/${pid}/ns/mnt`).inode);
}
