// Opens the container's network namespace, and refuses the node's.
import { codeOf, isErrno } from "../errno.ts";
import type { Variables } from "./environment.ts";
import { CniError, code } from "./errors.ts";
import type { Netns } from "./plugin.ts";
import type { System } from "./system.ts";

/** The calls of the host that opening a namespace needs. */
type Opening = Pick<System, "openNetns" | "stat" | "close">;

/**
 * Opens CNI_NETNS. `source` is the name of the path in messages.
 *
 * CNI_NETNS_OVERRIDE=1 or true allows our own namespace, as in the Go library.
 * @throws CniError 8 that says what is there instead, or that the namespace is the node's: a change
 *   in it would change the node
 */
export function openNetns(env: Variables, system: Opening, source = "CNI_NETNS"): Netns {
  const path = env.CNI_NETNS!;
  let fd: number;
  try {
    fd = system.openNetns(path);
  } catch (failure) {
    throw refused(source, whatIsThere(path, failure, system), failure);
  }
  const netns = identified(path, fd, system);
  if (!isNodes(netns, env, system)) return netns;
  throw new CniError(code.badNetns, `${source}: ${path} is the node's own network namespace, expected the container's`);
}

/**
 * Opens CNI_NETNS for DEL. Undefined if nothing of the container can be there: the variable is
 * empty, the path is missing or is only a mount point, or its number was reused for our own
 * namespace.
 *
 * @throws CniError 8 if the system refused to open it
 */
export function openNetnsIfThere(env: Variables, system: Opening): Netns | undefined {
  const path = env.CNI_NETNS;
  if (!path) return undefined;
  let fd: number;
  try {
    fd = system.openNetns(path);
  } catch (failure) {
    if (isGone(failure)) return undefined;
    throw refused("CNI_NETNS", whatIsThere(path, failure, system), failure);
  }
  const netns = identified(path, fd, system);
  if (!isNodes(netns, env, system)) return netns;
  system.close(fd);
  return undefined;
}

/**
 * Reads the identity from the descriptor, because the path may lead elsewhere after it was opened.
 */
function identified(path: string, fd: number, system: Opening): Netns {
  const { device, inode } = system.stat(`/proc/self/fd/${fd}`);
  return { path, fd, device, inode };
}

/**
 * Whether the namespace is the node's: that of this process, or that of the node's first process.
 *
 * No pod has that namespace, and any change in it would change the node. CNI_NETNS_OVERRIDE=1 or
 * true allows it, as in the Go library.
 */
export function isNodes(netns: Identity, env: Variables, system: Pick<System, "stat">): boolean {
  const override = env.CNI_NETNS_OVERRIDE;
  if (override === "1" || override?.toLowerCase() === "true") return false;
  const same = (other: Identity | undefined): boolean => other?.device === netns.device && other.inode === netns.inode;
  return same(system.stat("/proc/thread-self/ns/net")) || same(firstProcess(system));
}

type Identity = Pick<Netns, "device" | "inode">;

/**
 * The namespace of the node's first process. Undefined if the kernel hides it: EACCES without
 * CAP_SYS_PTRACE.
 */
function firstProcess(system: Pick<System, "stat">): Identity | undefined {
  try {
    return system.stat("/proc/1/ns/net");
  } catch {
    return undefined;
  }
}

/**
 * Whether opening a namespace failed because there is none.
 *
 * - ENOENT, ENOTDIR, ENAMETOOLONG: no such path.
 * - EINVAL, ENXIO: something else is there.
 * - ESRCH: the process of a path in /proc has ended.
 * - ELOOP: a circle of symbolic links.
 */
export function isGone(failure: unknown): boolean {
  return isErrno(failure, "ENOENT", "ENOTDIR", "ENAMETOOLONG", "EINVAL", "ENXIO", "ESRCH", "ELOOP");
}

function refused(source: string, found: string, cause: unknown): CniError {
  return new CniError(code.badNetns, `${source}: ${found}, expected a network namespace`, "", { cause });
}

function whatIsThere(path: string, failure: unknown, system: Opening): string {
  const code = codeOf(failure);
  if (code === "ENOENT" || code === "ENOTDIR") return `${path} is missing`;
  if (code === "EINVAL" || code === "ENXIO") return `${path} is ${kindOf(path, system)}`;
  return `${path} cannot be opened (${code ?? String(failure)})`;
}

const kinds: Readonly<Record<string, string>> = {
  file: "a regular file, or another kind of namespace",
  directory: "a directory",
  symlink: "a symbolic link",
  socket: "a socket",
  fifo: "a FIFO",
  character: "a character device",
  block: "a block device",
};

function kindOf(path: string, system: Opening): string {
  try {
    return kinds[system.stat(path).kind] ?? "something else";
  } catch {
    return "something else";
  }
}
