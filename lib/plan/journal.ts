// What was changed for each attachment, written down before the first change: all that DEL, GC and the next ADD need to put a pod back.
import type { Change } from "./change.ts";

/** What tells a network namespace from others: its path may be used again, and so may its inode. The kernel's cookie never is, where there is one. */
export interface Identity {
  readonly device: number;
  readonly inode: number;
  readonly cookie?: string;
}

/** One attachment's record. */
export interface Entry {
  /** The network's name in the configuration. */
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
  /** The namespace and where it was. */
  readonly netns: Identity & { readonly path: string };
  /** When the entry was made: milliseconds of CLOCK_MONOTONIC. */
  readonly time: number;
  readonly changes: readonly Change[];
}

/** An entry as found: `pending` while its ADD had not ended, because it is under way or was killed. */
export interface Recorded {
  readonly entry: Entry;
  readonly pending: boolean;
}

/** The calls of `host` that a journal needs. */
export interface Files {
  createFile(path: string, text: string): void;
  makeDirectory(path: string): void;
  readDirectory(path: string): string[];
  readFile(path: string, options: { readonly limit: number; readonly follow: boolean }): string;
  rename(from: string, to: string): void;
  stat(path: string, options: { readonly follow: boolean }): { kind: string; uid: number; mode: number };
  unlink(path: string): void;
}

/** NAME_MAX of <linux/limits.h>. */
const longestName = 255;

/** The file format's number; a journal of another one is refused rather than misread. */
const format = 1;

/**
 * The journal of one plugin: a directory with a file for each attachment, below /run by default, since what it describes does not survive a reboot either.
 * Names are `CONTAINERID:IFNAME.json`, neither of which can hold a colon or a slash, and `….pending` until ADD has succeeded.
 *
 * Every method throws the host's errors, and an Error where a file or the directory is not what it should be.
 */
export class Journal {
  readonly directory: string;
  readonly #files: Files;

  constructor(directory: string, files: Files) {
    this.directory = directory;
    this.#files = files;
  }

  /** Throws where an entry could not be written. */
  probe(): void {
    this.#prepare();
    const path = `${this.directory}/probe`;
    this.#remove(path);
    this.#files.createFile(path, "");
    this.#remove(path);
  }

  /** Writes the entry, pending, whole or not at all. */
  begin(entry: Entry): void {
    this.#prepare();
    this.#write(entry, "pending");
  }

  /** Writes an entry that there is once more. */
  rewrite(entry: Entry): void {
    this.#write(entry, this.find(entry.containerId, entry.ifname)?.pending ? "pending" : "json");
  }

  #write(entry: Entry, state: "pending" | "json"): void {
    const path = this.#path(entry.containerId, entry.ifname, state);
    const draft = this.#path(entry.containerId, entry.ifname, "draft");
    this.#remove(draft);
    try {
      this.#files.createFile(draft, JSON.stringify({ format, ...entry }));
      this.#files.rename(draft, path);
    } catch (failure) {
      this.#remove(draft);
      throw failure;
    }
  }

  /** Marks the entry as that of an ADD that succeeded. */
  commit({ containerId, ifname }: Pick<Entry, "containerId" | "ifname">): void {
    this.#files.rename(this.#path(containerId, ifname, "pending"), this.#path(containerId, ifname, "json"));
  }

  /** The attachment's entry, or undefined if there is none. */
  find(containerId: string, ifname: string): Recorded | undefined {
    return (
      this.#read(this.#path(containerId, ifname, "pending"), true) ??
      this.#read(this.#path(containerId, ifname, "json"), false)
    );
  }

  /** Forgets the attachment, and what a killed ADD may have begun to write of it. */
  remove({ containerId, ifname }: Pick<Entry, "containerId" | "ifname">): void {
    for (const state of ["draft", "pending", "json"] as const) this.#remove(this.#path(containerId, ifname, state));
  }

  /** The entries of one container. */
  of(containerId: string): Recorded[] {
    return this.#recorded((name) => name.startsWith(`${containerId}:`), rethrow);
  }

  /** Every entry, and for each file that could not be read the error that says why. */
  list(): { entries: Recorded[]; failures: unknown[] } {
    const failures: unknown[] = [];
    const entries = this.#recorded(
      () => true,
      (failure) => failures.push(failure),
    );
    return { entries, failures };
  }

  #recorded(wanted: (name: string) => boolean, failed: (failure: unknown) => void): Recorded[] {
    const found: Recorded[] = [];
    for (const name of this.#names()) {
      const pending = name.endsWith(".pending");
      if (!(pending || name.endsWith(".json")) || !wanted(name)) continue;
      try {
        const recorded = this.#read(`${this.directory}/${name}`, pending);
        if (recorded !== undefined) found.push(recorded);
      } catch (failure) {
        failed(failure);
      }
    }
    return found;
  }

  #path(containerId: string, ifname: string, state: "draft" | "pending" | "json"): string {
    const name = `${containerId}:${ifname}.${state}`;
    if (name.length > longestName)
      throw new Error(
        `CNI_CONTAINERID: is ${containerId.length} characters long, more than the journal's file name has room for`,
      );
    return `${this.directory}/${name}`;
  }

  #names(): string[] {
    try {
      return this.#files.readDirectory(this.directory);
    } catch (failure) {
      if (isCode(failure, "ENOENT")) return [];
      throw failure;
    }
  }

  #read(path: string, pending: boolean): Recorded | undefined {
    let text: string;
    try {
      text = this.#files.readFile(path, { limit: 4 << 20, follow: false });
    } catch (failure) {
      if (isCode(failure, "ENOENT")) return undefined;
      if (isCode(failure, "ENOTDIR")) this.#refuseForeign();
      throw failure;
    }
    // What is undone with root's rights is read from here: a directory that others can write to is not believed.
    this.#refuseForeign();
    return { entry: parsed(path, text), pending };
  }

  #remove(path: string): void {
    try {
      this.#files.unlink(path);
    } catch (failure) {
      if (!isCode(failure, "ENOENT") && !isCode(failure, "ENOTDIR")) throw failure;
    }
  }

  #prepare(): void {
    try {
      this.#refuseForeign();
    } catch (failure) {
      if (!isCode(failure, "ENOENT")) throw failure;
      this.#make(this.directory);
    }
  }

  /** Makes a directory and those above it. Below /proc mkdir(2) says ENOENT whatever is there: hence only one more attempt. */
  #make(directory: string, isAgain = false): void {
    try {
      this.#files.makeDirectory(directory);
    } catch (failure) {
      if (isCode(failure, "EEXIST")) return; // another ADD was faster
      const parent = directory.slice(0, directory.lastIndexOf("/"));
      if (isAgain || !isCode(failure, "ENOENT") || parent === "") throw failure;
      this.#make(parent);
      this.#make(directory, true);
    }
  }

  #refuseForeign(): void {
    const { kind, uid, mode } = this.#files.stat(this.directory, { follow: false });
    if (kind !== "directory") throw new Error(`dataDir: ${this.directory} is a ${kind}, not a directory`);
    if (uid !== 0) throw new Error(`dataDir: ${this.directory} belongs to user ${uid}, not to root`);
    if ((mode & 0o022) !== 0)
      throw new Error(`dataDir: ${this.directory} has mode ${mode.toString(8)}: others can write to it; expected 700`);
  }
}

function parsed(path: string, text: string): Entry {
  let value: {
    format?: unknown;
    containerId?: unknown;
    ifname?: unknown;
    netns?: { path?: unknown };
    changes?: unknown;
  } | null;
  try {
    value = JSON.parse(text);
  } catch (failure) {
    throw new Error(`${path}: is not a journal: it does not parse: ${(failure as Error).message}`);
  }
  if (value?.format !== format) throw new Error(`${path}: has format ${JSON.stringify(value?.format)}, not ${format}`);
  if (
    typeof value.containerId !== "string" ||
    typeof value.ifname !== "string" ||
    typeof value.netns?.path !== "string" ||
    !Array.isArray(value.changes)
  )
    throw new Error(`${path}: is not a journal: containerId, ifname, netns or changes is missing`);
  return value as unknown as Entry;
}

function rethrow(failure: unknown): never {
  throw failure;
}

function isCode(failure: unknown, code: string): boolean {
  return failure instanceof Error && "code" in failure && failure.code === code;
}
