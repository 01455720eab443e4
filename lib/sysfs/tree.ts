// sysfs and /dev as trees of files. Tests pass a tree of their own.
import { ignoring } from "../errno.ts";

/** What reading and writing them needs from the host. */
export type Tree = Pick<
  typeof import("host"),
  "close" | "lock" | "monotonic" | "readDirectory" | "readFile" | "readLink" | "sleep" | "stat" | "writeFile"
>;

/**
 * The text of an attribute without its newline; undefined where there is no such file, or its
 * device does not support it.
 */
export function attribute(tree: Tree, path: string): string | undefined {
  return readText(tree, path)?.trim();
}

/** All of a file of up to 8 MiB; undefined as for an attribute. */
export function readText(tree: Tree, path: string): string | undefined {
  return orNothing(() => tree.readFile(path, { limit: 8 << 20 }));
}

/**
 * The last part of where a symbolic link points, such as the driver of `…/driver`; undefined where
 * there is none.
 */
export function target(tree: Tree, path: string): string | undefined {
  return orNothing(() => tree.readLink(path).split("/").at(-1));
}

/** The names in a directory; none where it is not there. */
export function names(tree: Tree, path: string): string[] {
  return orNothing(() => tree.readDirectory(path)) ?? [];
}

/** Whether there is anything at the path. */
export function isThere(tree: Tree, path: string): boolean {
  return orNothing(() => tree.stat(path)) !== undefined;
}

/**
 * Waits until the condition holds; false where it does not come to hold in so many milliseconds.
 */
export function until(tree: Tree, milliseconds: number, condition: () => boolean): boolean {
  const end = tree.monotonic() + milliseconds;
  while (!condition()) {
    if (tree.monotonic() >= end) return false;
    tree.sleep(10);
  }
  return true;
}

/**
 * What a call returns. Undefined if the file is missing, was removed meanwhile, or holds nothing.
 */
function orNothing<T>(call: () => T): T | undefined {
  return ignoring(["ENOENT", "ENODEV", "ENXIO", "EOPNOTSUPP", "EINVAL", "ENOTDIR"], call);
}
