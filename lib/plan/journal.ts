// The records of what was changed for each attachment, written before the first change: all that
// DEL, GC and the next ADD need to restore a pod or a device.
import { isErrno } from "../errno.ts";
import { FactError } from "../fact.ts";
import { ForeignDirectory } from "../trusted-directory.ts";
import { type Directory, type OpenDirectory, remove, removeDirectory } from "./directory.ts";
import type { Attachment, Entry, Recorded, Removable } from "./entry.ts";
import { Format1 } from "./format1.ts";
import { decodeRecord, ignoreUnreadable } from "./record.ts";
import { type Author, directoryNameOf, fileNameOf, format1Mark, parseFileName, writeRecord } from "./record-file.ts";

/**
 * The records of one plugin: `CONTAINER/IFNAME.json` in the journal's directory, and
 * `CONTAINER/IFNAME.pending` until ADD has succeeded.
 *
 * A call opens the directory of its own container, and no other. An unreadable record affects its
 * own attachment only. Records of {@link Format1} are read, and removed by DEL.
 *
 * Every method throws the host's errors, and a FactError if a file or a directory is not as it
 * should be.
 */
export class Journal<E extends Entry<unknown> = Entry> {
  readonly path: string;
  readonly #open: OpenDirectory;
  readonly #author: Author;
  readonly #sha256: (text: string) => string;
  readonly #format1: Format1<E>;
  #top: Directory | undefined;

  constructor(path: string, open: OpenDirectory, author: Author, sha256: (text: string) => string) {
    this.path = path;
    this.#open = open;
    this.#author = author;
    this.#sha256 = sha256;
    this.#format1 = new Format1(
      () => this.#directory(),
      (path, source) => this.#decode(path, source),
    );
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
    this.#format1.guard(entry, `${this.#directoryName(entry)}/${entry.ifname}`);
    for (let attempt = 1; ; attempt++) {
      const own = top.open(this.#directoryName(entry), { create: true })!;
      try {
        return writeRecord(own, entry, "pending", this.#author);
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
      if (own.has(fileNameOf(entry.ifname, "pending"))) writeRecord(own, entry, "pending", this.#author);
      else if (own.has(fileNameOf(entry.ifname, "json"))) writeRecord(own, entry, "json", this.#author);
      else this.#format1.rewrite(entry);
      return;
    });
  }

  /** Marks the entry as one of an ADD that succeeded. */
  commit(attachment: Attachment): void {
    this.#inContainer(attachment, (own) =>
      own.rename(fileNameOf(attachment.ifname, "pending"), fileNameOf(attachment.ifname, "json")),
    );
  }

  /** Returns the entry. Undefined if there is none. */
  find(attachment: Attachment): Recorded<E> | undefined {
    const found = this.#inContainer(attachment, (own) => this.#readIn(own, attachment.ifname));
    return found ?? this.#format1.find(attachment);
  }

  /** Returns the entry of the attachment that holds a device. Undefined if no attachment does. */
  findHolder(address: string): Recorded<E> | undefined {
    const [directory, ifname] = this.#format1.guarded(address)?.split("/") ?? [];
    if (directory === undefined || ifname === undefined) return this.#format1.findHolder(address);
    const own = this.#directory()!.open(directory, { create: false });
    const found = own && this.#readIn(own, ifname);
    own?.close();
    // A guard outlives its record if the process is killed between the two.
    return found?.entry.device?.address === address ? found : undefined;
  }

  /** Returns the attachment's entry of format 1 if it holds a device. */
  findDeviceOfFormat1(attachment: Attachment): Recorded<E> | undefined {
    return this.#format1.findDevice(attachment);
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
    const files = (["pending", "json", "draft"] as const).map((state) => fileNameOf(attachment.ifname, state));
    files.push(`${attachment.ifname}${format1Mark}`);
    for (const file of files) if (found.includes(file)) remove(own!, file);
    // After the record: without its guard, DEL of 0.1.0 would succeed and leave the changes.
    const isOld = !found.includes(files[0]!) && !found.includes(files[1]!);
    this.#format1.remove(attachment, isOld ? "record" : "guards");
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
          const file = parseFileName(name);
          if (file === undefined || file.state === "draft" || file.ifname === ifname) continue;
          const one = { containerId, ifname: file.ifname };
          const read = (): Recorded<E> | undefined =>
            file.state === "format1" ? this.#format1.find(one) : this.#readFile(own, name);
          const sibling = ignoreUnreadable(read);
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
      if (this.#format1.isRecord(name)) attempt(() => this.#format1.read(name));
      if (name.startsWith(".") || name.includes(":")) continue;
      let own: Directory | undefined;
      try {
        own = top!.open(name, { create: false });
      } catch (failure) {
        if (!isErrno(failure, "ENOTDIR")) failures.push(failure);
      }
      for (const file of own?.names() ?? []) {
        const { state } = parseFileName(file) ?? {};
        if (state === "pending" || state === "json") attempt(() => this.#readFile(own!, file));
      }
      own?.close();
    }
    return failures;
  }

  /**
   * Marks, in the directory of each container, which of its interfaces have a record of format 1:
   * {@link siblings} finds them there.
   */
  indexFormat1(): void {
    for (const { containerId, ifname } of this.#format1.attachments()) {
      const own = this.#directory()!.open(this.#directoryName({ containerId }), { create: true })!;
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

  #readIn(own: Directory, ifname: string): Recorded<E> | undefined {
    const found = this.#readFile(own, fileNameOf(ifname, "pending")) ?? this.#readFile(own, fileNameOf(ifname, "json"));
    if (found === undefined) return undefined;
    const { entry } = found;
    if (entry.ifname !== ifname || !own.path.endsWith(`/${this.#directoryName(entry)}`))
      throw new FactError(own.path, `holds a record of container ${entry.containerId} (${entry.ifname})`);
    return found;
  }

  #readFile(directory: Directory, name: string): Recorded<E> | undefined {
    const source = directory.read(name);
    if (source === undefined) return undefined;
    return { entry: this.#decode(`${directory.path}/${name}`, source), pending: name.endsWith(".pending") };
  }

  #decode(path: string, source: string): E {
    return decodeRecord(path, source, this.#author) as E;
  }
}
