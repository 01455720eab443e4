// Reads sysfs and /dev as trees of files. Tests pass a tree of their own.
import { ignoring } from "../errno.ts";

/** The calls of the host that this needs. */
export type Tree = Pick<
  typeof import("host"),
  "close" | "lock" | "monotonic" | "readDirectory" | "readFile" | "readLink" | "sleep" | "stat" | "writeFile"
>;

/**
 * Returns the text of an attribute without its newline. Undefined if the file is missing, or its
 * device does not support it.
 */
export function attribute(tree: Tree, path: string): string | undefined {
  return readText(tree, path)?.trim();
}

/** Returns the whole text of a file of up to 8 MiB. Undefined as for an attribute. */
export function readText(tree: Tree, path: string): string | undefined {
  return orNothing(() => tree.readFile(path, { limit: 8 << 20 }));
}

/**
 * Returns the last part of a symbolic link's target, such as the driver of `…/driver`. Undefined if
 * there is no such link.
 */
export function target(tree: Tree, path: string): string | undefined {
  return orNothing(() => tree.readLink(path).split("/").at(-1));
}

/** Returns the names in a directory. Empty if the directory is missing. */
export function names(tree: Tree, path: string): string[] {
  return orNothing(() => tree.readDirectory(path)) ?? [];
}

/** Whether anything exists at the path. */
export function isThere(tree: Tree, path: string): boolean {
  return orNothing(() => tree.stat(path)) !== undefined;
}

/** Waits until the condition holds. False if it does not within the time. */
export function until(tree: Tree, milliseconds: number, condition: () => boolean): boolean {
  const end = tree.monotonic() + milliseconds;
  while (!condition()) {
    if (tree.monotonic() >= end) return false;
    tree.sleep(10);
  }
  return true;
}

/**
 * Returns what the call returns. Undefined if the file is missing, was removed during the call, or
 * is empty.
 */
function orNothing<T>(call: () => T): T | undefined {
  return ignoring(["ENOENT", "ENODEV", "ENXIO", "EOPNOTSUPP", "EINVAL", "ENOTDIR"], call);
}
