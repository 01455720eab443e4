// The container's network namespace: opened, and made sure that it is one, and not our own.
import { codeOf, isErrno } from "../errno.ts";
import type { Variables } from "./environment.ts";
import { CniError, code } from "./errors.ts";
import type { Netns } from "./plugin.ts";
import type { System } from "./system.ts";

/** What opening a namespace takes of the system. */
type Opening = Pick<System, "openNetns" | "stat" | "close">;

/**
 * Opens CNI_NETNS. Throws a CniError 8 that says what is there instead, also where it is this
 * process's own namespace, in which any change would be one to the node itself:
 * nothing has been changed by then. `source` is what the message calls the path's origin.
 * CNI_NETNS_OVERRIDE=1 or true lets our own namespace pass, as in
 * the Go library.
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
 * Opens CNI_NETNS for DEL, if it is there: what is empty, gone, only the mount point that it was,
 * or our own because its number was given away again, holds nothing of the container's.
 * Throws a CniError 8 where the system refused to say.
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

/** By the descriptor, because the path may lead elsewhere by now. */
function identified(path: string, fd: number, system: Opening): Netns {
  const { device, inode } = system.stat(`/proc/self/fd/${fd}`);
  return { path, fd, device, inode };
}

/**
 * Whether the namespace is the node's: the one that this process runs in, or that of the node's
 * first process. No pod has it, and any change in it
 * would be one to the node. CNI_NETNS_OVERRIDE=1 or true lets it pass, as in the Go library.
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
 * Whether opening a namespace failed because none is there. ENOENT and ENOTDIR: no such path, nor
 * can there be one with ENAMETOOLONG. EINVAL and ENXIO: something else. ESRCH: the process of a
 * path in /proc has ended. ELOOP: links in a circle.
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
