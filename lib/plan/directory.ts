// A directory that only root can change. Records are kept in one.
import { isErrno } from "../errno.ts";

/**
 * An open directory. Every name is one component, and no symbolic link is followed. The methods
 * throw the host's errors.
 */
export interface Directory {
  /** For messages. */
  readonly path: string;
  /** Sorted. */
  names(): string[];
  /** Returns the whole file. Undefined if it is missing. */
  read(name: string): string | undefined;
  /** Creates a file. EEXIST if the name exists. If the write fails, no file remains. */
  create(name: string, text: string): void;
  /** Creates a symbolic link, which no method follows. EEXIST if the name exists. */
  link(name: string, target: string): void;
  /** Returns the target of a symbolic link. Undefined if the entry is missing, or is no link. */
  target(name: string): string | undefined;
  /** Replaces `to`. */
  rename(from: string, to: string): void;
  /** Does nothing if it is missing. */
  unlink(name: string): void;
  /** Whether there is an entry of that name. */
  has(name: string): boolean;
  /**
   * Opens a directory in it. Undefined if it is missing, unless `create`. Throws if others than
   * root can change it.
   */
  open(name: string, options: { readonly create: boolean }): Directory | undefined;
  /** Removes an empty directory in it. ENOTEMPTY if it has entries. */
  removeDirectory(name: string): void;
  close(): void;
}

/** Opens a directory. Undefined if it is missing, unless `create`. */
export type OpenDirectory = (path: string, options: { readonly create: boolean }) => Directory | undefined;

/** Removes a file, unless it is missing. */
export function remove(directory: Directory, name: string): void {
  try {
    directory.unlink(name);
  } catch (failure) {
    // A read-only file system reports EROFS before it looks whether the file exists.
    if (!isErrno(failure, "EROFS") || directory.has(name)) throw failure;
  }
}

/** Removes a directory, unless it is missing or has entries. */
export function removeDirectory(directory: Directory, name: string): void {
  try {
    directory.removeDirectory(name);
  } catch (failure) {
    // Another call has written a record, or removed the directory.
    if (!isErrno(failure, "ENOTEMPTY", "ENOENT")) throw failure;
  }
}
