// Where a network namespace is that was at a path once, and whether it is certainly gone: by its
// path, else by the processes in it and the places where it is mounted.
import * as host from "host";
import { isGone, isNodes } from "../cni/netns.ts";
import { openRtnetlink } from "../netlink/socket.ts";
import { type Entry, type Identity, isSameNetns } from "../plan/journal.ts";

/** `there`: at `path`, which is another one than before where it has `moved`. */
export type NetnsLocation =
  | { readonly is: "there"; readonly path: string; readonly moved: boolean }
  | { readonly is: "gone" }
  | { readonly is: "unclear"; readonly why: string };

/** Which namespace is at the path. Throws a HostError where none is. */
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

/** Which namespace this thread is in; `cookie` is what a socket of it told. */
export function identityHere(cookie: string | undefined): Identity {
  const { device, inode } = host.stat("/proc/thread-self/ns/net");
  return { device, inode, ...(cookie !== undefined && { cookie }) };
}

/**
 * Gives what finds namespaces: it looks through the node once, when the first one is not where it
 * was.
 */
export function netnsFinder(): (netns: Entry["netns"]) => NetnsLocation {
  let places: ReadonlyMap<number, readonly string[]> | undefined;
  return (netns) => {
    if (isNodes(netns, {}, host))
      return { is: "unclear", why: `${netns.path} was recorded as the node's own network namespace, which no pod has` };
    try {
      if (isSameNetns(identifyNetns(netns.path), netns)) return { is: "there", path: netns.path, moved: false };
    } catch (failure) {
      if (!isGone(failure)) return { is: "unclear", why: (failure as Error).message };
    }
    places ??= placesOfAll();
    for (const path of places.get(netns.inode) ?? []) {
      try {
        // Its inode may be another one's by now, but not its cookie.
        if (isSameNetns(identifyNetns(path), netns)) return { is: "there", path, moved: true };
      } catch {
        // It went away since, or its process did.
      }
    }
    return isElsewhere(netns.path)
      ? {
          is: "unclear",
          why: `${directoryOf(netns.path)} does not exist; run this on the node, not in a container`,
        }
      : { is: "gone" };
  };
}

/**
 * Where each namespace can be reached, by its inode: by a process in it, or by its mount, in our
 * own view or in that of the node's first process.
 */
function placesOfAll(): Map<number, string[]> {
  const places = new Map<number, string[]>();
  const add = (inode: number, path: string): void => {
    const known = places.get(inode);
    if (known === undefined) places.set(inode, [path]);
    // A pod's processes are in the same one: a few do, should some be about to end.
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
      // It has ended.
    }
  }
  return places;
}

/**
 * The mounts of network namespaces in a mountinfo file: its fourth field is `net:[4026532008]`, its
 * fifth the path, with white space in octal (proc(5)).
 */
export function mounted(text: string): { inode: number; path: string }[] {
  return [...text.matchAll(/^\S+ \S+ \S+ net:\[(\d+)\] (\S+) /gm)].map(([, inode, path]) => ({
    inode: Number(inode),
    path: path!.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
  }));
}

/**
 * Whether even the directory is missing that the runtime keeps its namespaces in; of a process that
 * has ended, there is none.
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
    return host.readFile(path, { limit: 8 << 20 });
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
