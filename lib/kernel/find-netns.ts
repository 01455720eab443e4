// Finds a recorded network namespace, or shows that it does not exist any more: by its path, by the
// processes in it, and by its mounts.
import * as host from "host";
import { isGone, isNodes } from "../cni/netns.ts";
import { openRtnetlink } from "../netlink/socket.ts";
import { type Entry, type Identity, isSameIdentity } from "../plan/entry.ts";

/** `there`: at `path`. If it has `moved`, that is another path than the recorded one. */
export type NetnsLocation =
  | { readonly is: "there"; readonly path: string; readonly moved: boolean }
  | { readonly is: "gone" }
  | { readonly is: "unclear"; readonly why: string };

/** Returns the identity of the namespace at the path. Throws a HostError if there is none. */
export function identifyNetns(path: string): Identity {
  const netns = host.openNetns(path);
  try {
    return host.inNetns(netns, () => {
      const { rtnl, cookie } = openRtnetlink();
      rtnl.close();
      return identityHere(cookie);
    });
  } finally {
    host.close(netns);
  }
}

/** Returns the identity of this thread's namespace. `cookie` was read from a socket in it. */
export function identityHere(cookie: string | undefined): Identity {
  const { device, inode } = host.stat("/proc/thread-self/ns/net");
  return { device, inode, ...(cookie !== undefined && { cookie }), ...bootOf() };
}

/** Returns the ID of this boot. Empty without /proc/sys. */
export function bootOf(): Pick<Identity, "boot"> {
  const boot = host.readFileIfThere("/proc/sys/kernel/random/boot_id");
  return boot === undefined ? {} : { boot: boot.trim() };
}

/**
 * Returns a function that finds namespaces. It searches the node once, when the first namespace is
 * not at its path.
 */
export function netnsFinder(): (netns: Entry["netns"]) => NetnsLocation {
  let places: ReadonlyMap<number, readonly string[]> | undefined;
  let hidden: { readonly why: string | undefined } | undefined;
  return (netns) => {
    if (isNodes(netns, {}, host))
      return { is: "unclear", why: `${netns.path} was recorded as the node's own network namespace, which no pod has` };
    try {
      if (isSameIdentity(identifyNetns(netns.path), netns)) return { is: "there", path: netns.path, moved: false };
    } catch (failure) {
      if (!isGone(failure)) return { is: "unclear", why: (failure as Error).message };
    }
    places ??= placesOfAll();
    for (const path of places.get(netns.inode) ?? []) {
      try {
        // The inode may belong to another namespace; the cookie cannot.
        if (isSameIdentity(identifyNetns(path), netns)) return { is: "there", path, moved: true };
      } catch {
        // The namespace or its process ended during the search.
      }
    }
    if (isElsewhere(netns.path))
      return {
        is: "unclear",
        why: `${directoryOf(netns.path)} does not exist; run this on the node, not in a container`,
      };
    hidden ??= { why: whyHidden() };
    return hidden.why === undefined ? { is: "gone" } : { is: "unclear", why: hidden.why };
  };
}

/**
 * Maps the inode of each namespace to a path that leads to it: of a process in it, or of its mount,
 * in our mount namespace or in that of the node's first process.
 */
function placesOfAll(): Map<number, string[]> {
  const places = new Map<number, string[]>();
  const add = (inode: number, path: string): void => {
    const known = places.get(inode);
    if (known === undefined) places.set(inode, [path]);
    // A pod's processes share a namespace. A few of them are enough, in case some are about to end.
    else if (known.length < 4) known.push(path);
  };
  for (const [file, root] of [
    ["/proc/self/mountinfo", ""],
    ["/proc/1/mountinfo", "/proc/1/root"],
  ] as const)
    for (const { inode, path } of mounted(textOf(file))) add(inode, `${root}${path}`);
  for (const pid of namesIn("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      const path = `/proc/${pid}/ns/net`;
      add(host.stat(path).inode, path);
    } catch {
      // The process has ended.
    }
  }
  return places;
}

/**
 * Returns the mounts of network namespaces in a mountinfo file. The fourth field is
 * `net:[4026532008]`, the fifth the path, with white space in octal (proc(5)).
 */
export function mounted(text: string): { inode: number; path: string }[] {
  return [...text.matchAll(/^\S+ \S+ \S+ net:\[(\d+)\] (\S+) /gm)].map(([, inode, path]) => ({
    inode: Number(inode),
    path: path!.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
  }));
}

/** The inode of the PID namespace that the kernel boots with (PID_NS_INIT_INO in linux/nsfs.h). */
const initialPidNamespace = 0xef_ff_ff_fc;

/**
 * Returns why this process cannot see all processes and mounts of the node, and what to do.
 * Undefined if it can: only then is a namespace that was not found gone.
 *
 * A node that is a container itself, as kind makes it, has systemd as its first process.
 */
export function whyHidden(system: Pick<typeof host, "readFile" | "stat"> = host): string | undefined {
  const where = "run this on the node, or in a container with hostPID: true";
  try {
    if (
      system.stat("/proc/self/ns/pid").inode !== initialPidNamespace &&
      system.readFile("/proc/1/comm").trim() !== "systemd"
    )
      return `the node's processes are not visible in this PID namespace; ${where}`;
    if (system.readFile("/proc/1/mountinfo", { limit: maxMountinfo }) !== "") return undefined;
    return `/proc/1/mountinfo is empty, so that the node's mounts are not visible; ${where}`;
  } catch (failure) {
    return `the node's processes and mounts are not visible (${(failure as Error).message}); ${where}`;
  }
}

/** The largest mountinfo that is read, in bytes. */
const maxMountinfo = 8 << 20;

/**
 * Whether the runtime's directory of namespaces is missing. For a path in /proc: whether the
 * process has ended.
 */
function isElsewhere(path: string): boolean {
  if (path.startsWith("/proc/")) return false;
  try {
    host.stat(directoryOf(path));
    return false;
  } catch {
    return true;
  }
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

function textOf(path: string): string {
  try {
    return host.readFile(path, { limit: maxMountinfo });
  } catch {
    return "";
  }
}

function namesIn(path: string): string[] {
  try {
    return host.readDirectory(path);
  } catch {
    return [];
  }
}
