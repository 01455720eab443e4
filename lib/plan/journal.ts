// What was changed for each attachment, written down before the first change: all that DEL, GC and
// the next ADD need to put a pod back.
import { isErrno } from "../errno.ts";
import { FactError } from "../fact.ts";
import { type Change, changeKinds } from "./change.ts";
import { deviceChangeKinds } from "./device.ts";

/**
 * What tells a network namespace from others: its path may be used again, and so may its inode. The
 * kernel's cookie never is, where there is one.
 */
export interface Identity {
  readonly device: number;
  readonly inode: number;
  readonly cookie?: string;
}

/** Whether two identities are one namespace's: by their cookies, where both are known. */
export function isSameNetns(one: Identity, other: Identity): boolean {
  if (one.cookie !== undefined && other.cookie !== undefined) return one.cookie === other.cookie;
  return one.device === other.device && one.inode === other.inode;
}

/** One attachment's record; `C` is what was changed for it. */
export interface Entry<C = Change> {
  /** The network's name in the configuration. */
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
  /** The namespace and where it was. */
  readonly netns: Identity & { readonly path: string };
  /** When the entry was made: milliseconds of CLOCK_MONOTONIC. */
  readonly time: number;
  readonly changes: readonly C[];
}

/**
 * An entry as found: `pending` while its ADD had not ended, because it is under way or was killed.
 */
export interface Recorded<E = Entry> {
  readonly entry: E;
  readonly pending: boolean;
}

/** What an attachment in a pod is recorded under: neither part can hold a colon or a slash. */
export function attachmentName({ containerId, ifname }: Pick<Entry, "containerId" | "ifname">): string {
  return `${containerId}:${ifname}`;
}

/** What a journal needs from the host. */
export type Files = Pick<
  typeof import("host"),
  "createFile" | "makeDirectory" | "readDirectory" | "readFile" | "rename" | "stat" | "unlink"
>;

/**
 * What is wrong with a change that a record holds, such as `has a key that no plugin records`;
 * undefined if nothing is.
 */
export type FaultOfChange = (change: object) => string | undefined;

/**
 * The journal's directory may have been changed by others than root: what it holds is not undone
 * with root's rights.
 */
export class ForeignDirectory extends FactError {
  constructor(fact: string) {
    super("dataDir", fact);
  }
}

/** NAME_MAX of <linux/limits.h>. */
const longestName = 255;

/** The file format's number; a journal of another one is refused rather than misread. */
const format = 1;

/**
 * The changes that there are, of whatever plugin; an entry with another one is of a newer version,
 * and refused rather than half undone.
 */
const kinds: readonly string[] = [...changeKinds, ...deviceChangeKinds];

/**
 * The journal of one plugin: a directory with a file for each entry, below /run by default, since
 * what it describes does not survive a reboot either.
 * Files are called `NAME.json`, and `NAME.pending` until ADD has succeeded.
 *
 * Every method throws the host's errors, and an Error where a file or the directory is not what it
 * should be.
 */
export class Journal<E extends Entry<unknown> = Entry> {
  readonly directory: string;
  readonly #files: Files;
  readonly #faultOf: FaultOfChange;

  /** @param faultOf what keeps a recorded change from being undone with root's rights */
  constructor(directory: string, files: Files, faultOf: FaultOfChange = () => undefined) {
    this.directory = directory;
    this.#files = files;
    this.#faultOf = faultOf;
  }

  /** Throws where an entry could not be written. */
  probe(): void {
    this.#prepare();
    const path = `${this.directory}/probe`;
    this.#remove(path);
    try {
      // A file system without room takes an empty file.
      this.#files.createFile(path, "probe");
    } catch (failure) {
      // Another STATUS has just written it.
      if (!isErrno(failure, "EEXIST")) throw failure;
    }
    this.#remove(path);
  }

  /** Writes the entry, pending, whole or not at all. */
  begin(name: string, entry: E): void {
    this.#prepare();
    this.#write(name, entry, "pending");
  }

  /** Writes an entry that there is once more. */
  rewrite(name: string, entry: E): void {
    this.#write(name, entry, this.find(name)?.pending ? "pending" : "json");
  }

  #write(name: string, entry: E, state: "pending" | "json"): void {
    const path = this.#path(name, state);
    // By the attachment, whatever the entry's own name is: DEL of an ADD that was killed here knows
    // no other.
    const draft = this.#path(attachmentName(entry), "draft");
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
  commit(name: string): void {
    this.#files.rename(this.#path(name, "pending"), this.#path(name, "json"));
  }

  /** The entry, or undefined if there is none. */
  find(name: string): Recorded<E> | undefined {
    return this.#read(this.#path(name, "pending"), true) ?? this.#read(this.#path(name, "json"), false);
  }

  /** Forgets the entry. */
  remove(name: string): void {
    for (const state of ["pending", "json"] as const) this.#remove(this.#path(name, state));
  }

  /** Takes away what a killed ADD may have begun to write of the attachment. */
  discardDraft(attachment: Pick<Entry, "containerId" | "ifname">): void {
    this.#remove(this.#path(attachmentName(attachment), "draft"));
  }

  /** The entries whose names begin so. */
  beginning(prefix: string): Recorded<E>[] {
    return this.#recorded((name) => name.startsWith(prefix), rethrow);
  }

  /** Every entry, and for each file that could not be read the error that says why. */
  list(): { entries: Recorded<E>[]; failures: unknown[] } {
    const failures: unknown[] = [];
    const entries = this.#recorded(
      () => true,
      (failure) => failures.push(failure),
    );
    return { entries, failures };
  }

  #recorded(wanted: (name: string) => boolean, failed: (failure: unknown) => void): Recorded<E>[] {
    const found: Recorded<E>[] = [];
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

  #path(name: string, state: "draft" | "pending" | "json"): string {
    const file = `${name}.${state}`;
    if (file.length > longestName)
      throw new Error(
        `CNI_CONTAINERID: is ${name.split(":")[0]!.length} characters long, more than the journal's file name has room for`,
      );
    return `${this.directory}/${file}`;
  }

  #names(): string[] {
    try {
      return this.#files.readDirectory(this.directory);
    } catch (failure) {
      if (isErrno(failure, "ENOENT")) return [];
      throw failure;
    }
  }

  #read(path: string, pending: boolean): Recorded<E> | undefined {
    let text: string;
    try {
      text = this.#files.readFile(path, { limit: 4 << 20, follow: false });
    } catch (failure) {
      if (isErrno(failure, "ENOENT")) return undefined;
      if (isErrno(failure, "ENOTDIR")) this.#refuseForeign();
      throw failure;
    }
    // What is undone with root's rights is read from here: a directory that others can write to is
    // not believed.
    this.#refuseForeign();
    return { entry: parsed(path, text, this.#faultOf) as E, pending };
  }

  #remove(path: string): void {
    try {
      this.#files.unlink(path);
    } catch (failure) {
      if (isErrno(failure, "ENOENT", "ENOTDIR")) return;
      // A read-only file system says so before it looks whether there is anything to remove.
      if (!isErrno(failure, "EROFS") || this.#isThere(path)) throw failure;
    }
  }

  #isThere(path: string): boolean {
    try {
      this.#files.stat(path, { follow: false });
      return true;
    } catch (failure) {
      if (isErrno(failure, "ENOENT")) return false;
      throw failure;
    }
  }

  #prepare(): void {
    try {
      this.#refuseForeign();
    } catch (failure) {
      if (!isErrno(failure, "ENOENT")) throw failure;
      this.#make(this.directory);
    }
  }

  /**
   * Makes a directory and those above it. Below /proc mkdir(2) says ENOENT whatever is there: hence
   * only one more attempt.
   */
  #make(directory: string, isAgain = false): void {
    try {
      this.#files.makeDirectory(directory);
    } catch (failure) {
      if (isErrno(failure, "EEXIST")) return; // another ADD was faster
      const parent = directory.slice(0, directory.lastIndexOf("/"));
      if (isAgain || !isErrno(failure, "ENOENT") || parent === "") throw failure;
      this.#make(parent);
      this.#make(directory, true);
    }
  }

  #refuseForeign(): void {
    const { kind, uid, mode } = this.#files.stat(this.directory, { follow: false });
    if (kind !== "directory") throw new ForeignDirectory(`${this.directory} is a ${kind}, not a directory`);
    if (uid !== 0) throw new ForeignDirectory(`${this.directory} belongs to user ${uid}, not to root`);
    if ((mode & 0o022) !== 0)
      throw new ForeignDirectory(`${this.directory}: mode ${mode.toString(8)} lets other users write; expected 700`);
  }
}

const unknownKind =
  "is a kind of change that this version does not know; DEL the attachment with the version that wrote it";

function parsed(path: string, text: string, faultOf: FaultOfChange): Entry<unknown> {
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
    throw new FactError(path, `is not a journal: it does not parse: ${(failure as Error).message}`);
  }
  if (value?.format !== format) throw new FactError(path, `has format ${JSON.stringify(value?.format)}, not ${format}`);
  if (
    typeof value.containerId !== "string" ||
    typeof value.ifname !== "string" ||
    typeof value.netns?.path !== "string" ||
    !Array.isArray(value.changes)
  )
    throw new FactError(path, "is not a journal: containerId, ifname, netns or changes is missing");
  for (const [position, change] of (value.changes as readonly { do?: unknown }[]).entries()) {
    const fault = kinds.some((kind) => kind === change?.do) ? faultOf(change) : unknownKind;
    if (fault !== undefined) throw new FactError(path, `changes[${position}] ${fault}`);
  }
  return value as unknown as Entry<unknown>;
}

function rethrow(failure: unknown): never {
  throw failure;
}
