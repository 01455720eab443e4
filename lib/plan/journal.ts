// The records of what was changed for each attachment, written before the first change: all that
// DEL, GC and the next ADD need to restore a pod or a device.
import { ignoring, isErrno } from "../errno.ts";
import { FactError } from "../fact.ts";
import { ForeignDirectory } from "../trusted-directory.ts";
import { type Directory, type OpenDirectory, remove, removeDirectory } from "./directory.ts";
import { type Attachment, type Entry, isSameAttachment, type Recorded } from "./entry.ts";
import { decodeRecord, format, type RecordRules } from "./record.ts";

/** What a journal writes of itself into each record, and what the records may contain. */
export interface Author extends RecordRules {
  /** The release. */
  readonly version: string;
}

/** What must be known of an entry to remove it. */
export type Removable = Attachment & { readonly device?: Entry["device"] | undefined };

/** States of a record, as the ends of file names. `draft`: incomplete. */
type State = "draft" | "pending" | "json";

/** NAME_MAX of <linux/limits.h>. */
const maxNameLength = 255;

/** A container ID up to this length is the name of its directory. */
const maxPlainIdLength = 200;

/** Files at the place of format 1: of a record of format 1, or the guard of a later one. */
const format1States: readonly State[] = ["json", "pending", "draft"];
const guardStates: readonly State[] = ["json"];

/** Ends the name of a file that says: this interface has a record of format 1. */
const format1Mark = ".format1";

/**
 * The records of one plugin: `CONTAINER/IFNAME.json` in the journal's directory, and
 * `CONTAINER/IFNAME.pending` until ADD has succeeded.
 *
 * A call opens the directory of its own container, and no other. An unreadable record affects its
 * own attachment only.
 *
 * Version 0.1.0 kept its records (format 1) in the journal's directory itself, and finds nothing
 * else. It must not take an attachment for detached that a later version made. Therefore each
 * record has a guard at the place of format 1: a symbolic link to the record, which 0.1.0 refuses
 * and this class never follows. The guard of a device names its holder.
 *
 * Every method throws the host's errors, and a FactError if a file or a directory is not as it
 * should be.
 */
export class Journal<E extends Entry<unknown> = Entry> {
  readonly path: string;
  readonly #open: OpenDirectory;
  readonly #author: Author;
  readonly #sha256: (text: string) => string;
  #top: Directory | undefined;

  constructor(path: string, open: OpenDirectory, author: Author, sha256: (text: string) => string) {
    this.path = path;
    this.#open = open;
    this.#author = author;
    this.#sha256 = sha256;
  }

  /** Throws if no entry could be written. */
  probe(): void {
    const top = this.#directory({ create: true })!;
    const name = ".probe";
    remove(top, name);
    try {
      // A file system without room accepts an empty file.
      top.create(name, "probe");
    } catch (failure) {
      // Another STATUS has just written it.
      if (!isErrno(failure, "EEXIST")) throw failure;
    }
    remove(top, name);
  }

  /** Writes the entry as pending, completely or not at all. */
  begin(entry: E): void {
    const top = this.#directory({ create: true })!;
    this.#guard(top, entry);
    for (let attempt = 1; ; attempt++) {
      const own = top.open(this.#directoryName(entry), { create: true })!;
      try {
        return this.#write(own, entry, "pending");
      } catch (failure) {
        // Another call has removed the directory, which was empty.
        if (!isErrno(failure, "ENOENT") || attempt === 3) throw failure;
      } finally {
        own.close();
      }
    }
  }

  /** Replaces an entry that exists. Its state stays. */
  rewrite(entry: E): void {
    this.#inContainer(entry, (own) => {
      if (own.has(fileName(entry, "pending"))) this.#write(own, entry, "pending");
      else if (own.has(fileName(entry, "json"))) this.#write(own, entry, "json");
      else this.#rewriteFormat1(entry);
      return;
    });
  }

  /** Marks the entry as one of an ADD that succeeded. */
  commit(attachment: Attachment): void {
    this.#inContainer(attachment, (own) => own.rename(fileName(attachment, "pending"), fileName(attachment, "json")));
  }

  /** Returns the entry. Undefined if there is none. */
  find(attachment: Attachment): Recorded<E> | undefined {
    const found = this.#inContainer(attachment, (own) => this.#readIn(own, attachment.ifname));
    return found ?? this.#findFormat1(format1Name(attachment));
  }

  /** Returns the entry of the attachment that holds a device. Undefined if no attachment does. */
  findHolder(address: string): Recorded<E> | undefined {
    const top = this.#directory();
    const [directory, ifname] = top?.target(`${address}.json`)?.split("/") ?? [];
    if (directory === undefined || ifname === undefined) return this.#findFormat1(address);
    const own = top!.open(directory, { create: false });
    const found = own && this.#readIn(own, ifname);
    own?.close();
    // A guard outlives its record if the process is killed between the two.
    return found?.entry.device?.address === address ? found : undefined;
  }

  /** Returns the attachment's entry of format 1 if it holds a device. */
  findDeviceOfFormat1(attachment: Attachment): Recorded<E> | undefined {
    const top = this.#directory();
    for (const name of top?.names() ?? []) {
      if (!/^[^:]+:[^:]+:.*\.(?:json|pending)$/.test(name)) continue;
      const found = readable(() => this.#readFlat(top!, name));
      if (found !== undefined && isSameAttachment(found.entry, attachment)) return found;
    }
    return undefined;
  }

  /**
   * Removes the entry and everything that belongs to it. Returns whether the container has no other
   * entry.
   */
  remove(attachment: Removable): boolean {
    const top = this.#directory();
    if (top === undefined) return true;
    const name = this.#directoryName(attachment);
    const own = top.open(name, { create: false });
    const found = own?.names() ?? [];
    const files = (["pending", "json", "draft"] as const).map((state) => fileName(attachment, state));
    files.push(`${attachment.ifname}${format1Mark}`);
    for (const file of files) if (found.includes(file)) remove(own!, file);
    // After the record: without its guard, 0.1.0 would take the attachment for detached.
    const old = format1Name(attachment);
    const isOld = !found.includes(files[0]!) && !found.includes(files[1]!);
    if (fits(old)) for (const state of isOld ? format1States : guardStates) remove(top, `${old}.${state}`);
    if (attachment.device !== undefined)
      for (const state of isOld ? format1States : guardStates) remove(top, `${attachment.device.address}.${state}`);
    own?.close();
    const isLast = found.every((file) => files.includes(file));
    if (own !== undefined && isLast) removeDirectory(top, name);
    return isLast;
  }

  /**
   * Returns the entries of the container's other interfaces, or of all without `ifname`. A record
   * that cannot be read is left out: it affects its own attachment only.
   */
  siblings({ containerId, ifname }: Pick<Attachment, "containerId"> & Partial<Attachment>): Recorded<E>[] {
    return (
      this.#inContainer({ containerId }, (own) => {
        const found: Recorded<E>[] = [];
        for (const name of own.names()) {
          const file = parsedName(name);
          if (file === undefined || file.state === "draft" || file.ifname === ifname) continue;
          const one = { containerId, ifname: file.ifname };
          const read = (): Recorded<E> | undefined =>
            file.state === "format1" ? this.#findFormat1(format1Name(one)) : this.#readFile(own, name);
          const sibling = readable(read);
          if (sibling !== undefined) found.push(sibling);
        }
        return found;
      }) ?? []
    );
  }

  /**
   * Passes every entry to `take`, one after the other. Returns for each file that cannot be read
   * the error that says why.
   */
  each(take: (recorded: Recorded<E>) => void): unknown[] {
    const failures: unknown[] = [];
    const attempt = (read: () => Recorded<E> | undefined): void => {
      let recorded: Recorded<E> | undefined;
      try {
        recorded = read();
      } catch (failure) {
        failures.push(failure);
      }
      if (recorded !== undefined) take(recorded);
    };
    let top: Directory | undefined;
    try {
      top = this.#directory();
    } catch (failure) {
      if (failure instanceof ForeignDirectory) return [failure];
      throw failure;
    }
    for (const name of top?.names() ?? []) {
      if (name.startsWith(".")) continue;
      if (name.includes(":")) {
        if (name.endsWith(".json") || name.endsWith(".pending")) attempt(() => this.#readFlat(top!, name));
        continue;
      }
      let own: Directory | undefined;
      try {
        own = top!.open(name, { create: false });
      } catch (failure) {
        if (!isErrno(failure, "ENOTDIR")) failures.push(failure);
      }
      for (const file of own?.names() ?? []) {
        const { state } = parsedName(file) ?? {};
        if (state === "pending" || state === "json") attempt(() => this.#readFile(own!, file));
      }
      own?.close();
    }
    return failures;
  }

  /** Returns every entry, and for each file that cannot be read the error that says why. */
  list(): { entries: Recorded<E>[]; failures: unknown[] } {
    const entries: Recorded<E>[] = [];
    const failures = this.each((recorded) => entries.push(recorded));
    return { entries, failures };
  }

  /**
   * Marks, in the directory of each container, which of its interfaces have a record of format 1:
   * {@link siblings} finds them there.
   */
  indexFormat1(): void {
    const top = this.#directory();
    for (const name of top?.names() ?? []) {
      const match = /^([^:]+):([^:]+)\.(?:json|pending)$/.exec(name);
      if (match === null || readable(() => this.#readFlat(top!, name)) === undefined) continue;
      const [, containerId, ifname] = match as unknown as [string, string, string];
      const own = top!.open(this.#directoryName({ containerId }), { create: true })!;
      if (!own.has(`${ifname}${format1Mark}`)) own.create(`${ifname}${format1Mark}`, "");
      own.close();
    }
  }

  #directory(options = { create: false }): Directory | undefined {
    this.#top ??= this.#open(this.path, options);
    return this.#top;
  }

  #inContainer<T>(attachment: Pick<Attachment, "containerId">, work: (own: Directory) => T): T | undefined {
    const own = this.#directory()?.open(this.#directoryName(attachment), { create: false });
    if (own === undefined) return undefined;
    try {
      return work(own);
    } finally {
      own.close();
    }
  }

  #directoryName({ containerId }: Pick<Attachment, "containerId">): string {
    return directoryNameOf(containerId, this.#sha256);
  }

  #write(own: Directory, entry: E, state: "pending" | "json"): void {
    const { plugin, version } = this.#author;
    const kind = entry.device === undefined ? "pod" : "device";
    const draft = fileName(entry, "draft");
    remove(own, draft);
    try {
      // A record that is replaced stays its author's.
      own.create(draft, JSON.stringify({ format, plugin, kind, version, ...entry }));
      own.rename(draft, fileName(entry, state));
    } catch (failure) {
      remove(own, draft);
      throw failure;
    }
  }

  /** Creates the link that 0.1.0 refuses. If its name is too long, so was 0.1.0's own. */
  #guard(top: Directory, { containerId, ifname, device }: E): void {
    const name = `${device?.address ?? format1Name({ containerId, ifname })}.json`;
    if (!fits(name)) return;
    const target = `${this.#directoryName({ containerId })}/${ifname}`;
    if (top.target(name) === target) return;
    remove(top, name);
    top.link(name, target);
  }

  #readIn(own: Directory, ifname: string): Recorded<E> | undefined {
    const found =
      this.#readFile(own, fileName({ ifname }, "pending")) ?? this.#readFile(own, fileName({ ifname }, "json"));
    if (found === undefined) return undefined;
    const { entry } = found;
    if (entry.ifname !== ifname || !own.path.endsWith(`/${this.#directoryName(entry)}`))
      throw new FactError(own.path, `holds a record of container ${entry.containerId} (${entry.ifname})`);
    return found;
  }

  #readFile(directory: Directory, name: string): Recorded<E> | undefined {
    const source = ignoring(["ENOENT"], () => directory.read(name));
    if (source === undefined) return undefined;
    const entry = decodeRecord(`${directory.path}/${name}`, source, this.#author) as E;
    return { entry, pending: name.endsWith(".pending") };
  }

  #findFormat1(name: string): Recorded<E> | undefined {
    const top = this.#directory();
    if (top === undefined || !fits(name)) return undefined;
    return this.#readFlat(top, `${name}.pending`) ?? this.#readFlat(top, `${name}.json`);
  }

  /** Reads a record of format 1. Undefined for a guard: ELOOP. */
  #readFlat(top: Directory, name: string): Recorded<E> | undefined {
    const source = ignoring(["ENOENT", "ELOOP"], () => top.read(name));
    if (source === undefined) return undefined;
    const entry = decodeRecord(`${top.path}/${name}`, source, this.#author) as E;
    return { entry, pending: name.endsWith(".pending") };
  }

  #rewriteFormat1(entry: E): void {
    const top = this.#directory();
    const name = format1Name(entry);
    const state = top?.has(`${name}.pending`) === true ? "pending" : "json";
    if (top?.has(`${name}.${state}`) !== true) return;
    const draft = `${name}.draft`;
    remove(top, draft);
    top.create(draft, JSON.stringify({ ...entry, format: 1 }));
    top.rename(draft, `${name}.${state}`);
  }
}

/** Returns the name of the directory of a container. No container ID begins with a tilde. */
export function directoryNameOf(containerId: string, sha256: (text: string) => string): string {
  return containerId.length <= maxPlainIdLength ? containerId : `~${sha256(containerId)}`;
}

function fileName({ ifname }: Pick<Attachment, "ifname">, state: State): string {
  return `${ifname}.${state}`;
}

/**
 * The name of a record of format 1, without its end. Neither part can contain a colon or a slash.
 */
function format1Name({ containerId, ifname }: Attachment): string {
  return `${containerId}:${ifname}`;
}

function fits(name: string): boolean {
  return name.length + ".pending".length <= maxNameLength;
}

function parsedName(name: string): { ifname: string; state: State | "format1" } | undefined {
  const match = /^([^:]+)\.(draft|pending|json|format1)$/.exec(name);
  return match === null ? undefined : { ifname: match[1]!, state: match[2] as State | "format1" };
}

function readable<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch (failure) {
    if (failure instanceof FactError || isErrno(failure, "ELOOP", "EFBIG", "EILSEQ")) return undefined;
    throw failure;
  }
}
