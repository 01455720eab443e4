// The way into pods' network namespaces: one call at a time in each, everything that the kernel is
// asked there by way of one NetnsKernel.
import * as host from "host";
import { CniError, code } from "../cni/errors.ts";
import { isNodes } from "../cni/netns.ts";
import { ignoring, isErrno } from "../errno.ts";
import type { Namespaces } from "../plan/attachments.ts";
import type { Identity } from "../plan/journal.ts";
import { identityHere } from "./find-netns.ts";
import { NetnsKernel } from "./netns.ts";

/** How long a call waits for its turn, in milliseconds. */
const courtesy = 1_000;

/**
 * The node's network namespaces; `patience` is how many milliseconds a call waits for another one
 * that is busy in the same pod.
 */
export const namespacesIn = (patience: number): Namespaces<NetnsKernel> => ({
  time: () => host.monotonic(),

  identify(path: string): Identity | undefined {
    // ENOENT also for /proc/PID/ns/net of a process that has ended; ESRCH if it ends meanwhile.
    const found = ignoring(["ENOENT", "ESRCH"], () => host.stat(path));
    return found && { device: found.device, inode: found.inode };
  },

  /**
   * What the ADDs of many pods do takes the kernel's one RTNL mutex, for which those that wait
   * spin: twenty of them take twice their CPU time side by side.
   */
  inTurn<T>(directory: string, work: () => T): T {
    const turn = lockIfFree(directory);
    try {
      return work();
    } finally {
      if (turn !== undefined) host.close(turn);
    }
  },

  /**
   * The lock is a flock on the namespace itself: it needs no file of its own, and goes with its
   * holder.
   */
  enter<T>(path: string, work: (kernel: NetnsKernel, here: Identity) => T): T {
    const lock = locked(path, patience);
    try {
      const netns = host.openNetns(path);
      try {
        refuseNodes(path, netns);
        return host.inNetns(netns, () => {
          const kernel = new NetnsKernel();
          try {
            return work(kernel, identityHere(kernel.cookie));
          } finally {
            kernel.close();
          }
        });
      } finally {
        host.close(netns);
      }
    } finally {
      host.close(lock);
    }
  },
});

/** Whatever a record, or its path by now, says: plans are for pods. */
function refuseNodes(path: string, netns: number): void {
  if (!isNodes(host.stat(`/proc/self/fd/${netns}`), host.env(), host)) return;
  throw new CniError(
    code.obstructed,
    `${path}: is the node's own network namespace, in which nothing is changed`,
    "delete the record if its path has come to mean another namespace; if not, find out who wrote it",
  );
}

function locked(path: string, patience: number): number {
  try {
    return host.lock(path, patience);
  } catch (failure) {
    if (!isErrno(failure, "ETIMEDOUT")) throw failure;
    const fact = `another call has been busy in the container's network namespace for ${patience / 1000} s`;
    throw new CniError(code.tryAgain, fact, "", { cause: failure });
  }
}

/**
 * Throws an Error if this process may not enter namespaces. setns(2) demands the same rights for
 * the own one.
 */
export function checkCanEnterNetns(): void {
  const own = host.openNetns("/proc/thread-self/ns/net");
  try {
    host.inNetns(own, () => undefined);
  } catch (failure) {
    throw new Error(`network namespaces cannot be entered without CAP_SYS_ADMIN: ${(failure as Error).message}`, {
      cause: failure,
    });
  } finally {
    host.close(own);
  }
}

/** Undefined where somebody else keeps it, or it is not there yet. */
function lockIfFree(directory: string): number | undefined {
  try {
    return host.lock(directory, courtesy);
  } catch {
    return undefined;
  }
}
