// sysfs and /dev as trees of files: the calls of `host` that it takes to read and write them. Tests put a tree of their own in their place.

/** Every failure is an Error with `code`, the errno's name. */
export interface Tree {
  readFile(path: string, options?: { readonly limit?: number }): string;
  /** Writes to a file that is there, in one go. */
  writeFile(path: string, text: string): void;
  readDirectory(path: string): string[];
  readLink(path: string): string;
  stat(path: string): { readonly device: number; readonly inode: number };
  /** Opens the path and locks it; EBUSY where a device may be open only once, and is. Gives a descriptor. */
  lock(path: string, timeout: number): number;
  close(fd: number): void;
  /** Milliseconds of CLOCK_MONOTONIC. */
  monotonic(): number;
  sleep(milliseconds: number): void;
}

/** The text of an attribute without its newline; undefined where there is no such file, or its device does not support it. */
export function attribute(tree: Tree, path: string): string | undefined {
  return text(tree, path)?.trim();
}

/** All of a file of up to 8 MiB; undefined as for an attribute. */
export function text(tree: Tree, path: string): string | undefined {
  return orNothing(() => tree.readFile(path, { limit: 8 << 20 }));
}

/** The last part of where a symbolic link points, such as the driver of `…/driver`; undefined where there is none. */
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

/** Waits until the condition holds; false where it does not come to hold in so many milliseconds. */
export function until(tree: Tree, milliseconds: number, condition: () => boolean): boolean {
  const end = tree.monotonic() + milliseconds;
  while (!condition()) {
    if (tree.monotonic() >= end) return false;
    tree.sleep(10);
  }
  return true;
}

/** What a call gives; undefined where the file is not there, or went away, or has nothing to say. */
function orNothing<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (failure) {
    const { code } = failure as { readonly code?: string };
    if (["ENOENT", "ENODEV", "ENXIO", "EOPNOTSUPP", "EINVAL", "ENOTDIR"].includes(code ?? "")) return undefined;
    throw failure;
  }
}
