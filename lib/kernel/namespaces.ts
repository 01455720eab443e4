// Enters the network namespaces of pods: one call at a time in each.
import * as host from "host";
import { CniError, code } from "../cni/errors.ts";
import { isNodes } from "../cni/netns.ts";
import { ignoring, isErrno } from "../errno.ts";
import type { Identity } from "../plan/entry.ts";
import type { Namespaces } from "../plan/namespaces.ts";
import { identityHere } from "./find-netns.ts";
import { netnsLock, type Release, takeLock, turnLock } from "./locks.ts";
import { NetnsKernel } from "./netns.ts";
import type { SharedDirectory } from "./roots.ts";

/** How long a call waits for its turn, in milliseconds. Then it goes on without. */
const turnTimeoutMs = 1_000;

/**
 * Returns the node's network namespaces. `lockTimeoutMs` is how long a call waits for another call
 * in the same pod.
 */
export const namespacesIn = (lockTimeoutMs: number, shared: SharedDirectory): Namespaces<NetnsKernel> => ({
  time: () => host.monotonic(),

  identify(path: string): Identity | undefined {
    // ENOENT also for /proc/PID/ns/net of a process that has ended, ESRCH if it ends during the
    // call.
    const found = ignoring(["ENOENT", "ESRCH"], () => host.stat(path));
    return found && { device: found.device, inode: found.inode };
  },

  /**
   * The ADDs of many pods need the kernel's one RTNL mutex, and waiters spin: twenty parallel calls
   * take twice their CPU time.
   */
  inTurn<T>(work: () => T): T {
    const release = ignoring(["ETIMEDOUT"], () => takeLock(turnLock, turnTimeoutMs, shared));
    try {
      return work();
    } finally {
      release?.();
    }
  },

  enter<T>(path: string, work: (kernel: NetnsKernel, here: Identity) => T): T {
    const netns = host.openNetns(path);
    try {
      refuseNodes(path, netns);
      const release = lockNetns(netns, lockTimeoutMs, shared);
      try {
        return host.inNetns(netns, () => {
          const kernel = new NetnsKernel();
          try {
            return work(kernel, identityHere(kernel.cookie));
          } finally {
            kernel.close();
          }
        });
      } finally {
        release();
      }
    } finally {
      host.close(netns);
    }
  },
});

/**
 * Throws a CniError if the pod has a user namespace of its own (hostUsers: false): a user ID would
 * be another user there. KubeVirt starts no such pods.
 *
 * @param ids what the plugin would set, such as `owner 107 of tap0`
 */
export function refuseUserNamespace(netns: number, ids: string): void {
  const own = ignoring(["ENOENT"], () => host.stat("/proc/self/ns/user").inode);
  const owner = ignoring(["EPERM", "ENOTTY"], () => host.netnsOwner(netns));
  if (own === undefined || owner === undefined || owner === own) return;
  throw new CniError(
    code.obstructed,
    `the pod has a user namespace of its own, in which ${ids} would be another user`,
    "start the pod in the node's user namespace: hostUsers must not be false",
  );
}

/** Refuses the node's own namespace, whatever led to it: a record, or a path that was reused. */
function refuseNodes(path: string, netns: number): void {
  if (!isNodes(host.stat(`/proc/self/fd/${netns}`), host.env(), host)) return;
  throw new CniError(
    code.obstructed,
    `${path}: is the node's own network namespace, in which nothing is changed`,
    "delete the record if its path has come to mean another namespace; if not, find out who wrote it",
  );
}

function lockNetns(netns: number, timeoutMs: number, shared: SharedDirectory): Release {
  // A path may lead elsewhere after it was opened.
  const path = `/proc/self/fd/${netns}`;
  try {
    return takeLock(netnsLock(host.stat(path).inode, path), timeoutMs, shared);
  } catch (failure) {
    if (!isErrno(failure, "ETIMEDOUT")) throw failure;
    const fact = `another call has been busy in the container's network namespace for ${timeoutMs / 1000} s`;
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
