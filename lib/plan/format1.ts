// The files that version 0.1.0 knows in a journal's directory: its own records (format 1), and the
// guards that keep it away from later records. Delete this file with the last upgrade from 0.1.0.
import { ignoring } from "../errno.ts";
import { type Directory, remove } from "./directory.ts";
import { type Attachment, type Entry, isSameAttachment, type Recorded, type Removable } from "./entry.ts";
import { ignoreUnreadable } from "./record.ts";

/** NAME_MAX of <linux/limits.h>. */
const maxNameLength = 255;

/** The ends of the names of format 1's files. A guard has the first one. */
const ends = ["json", "pending", "draft"] as const;

/**
 * The records of format 1: `CONTAINER:IFNAME.json`, or `ADDRESS.json` if the attachment holds a
 * device, and `.pending` until ADD has succeeded. They lie in the journal's directory itself.
 *
 * 0.1.0 finds no other record. Its DEL of an attachment of a later version would find nothing, and
 * succeed. Therefore each later record has a **guard** in the place of format 1: a symbolic link to
 * the record. 0.1.0 refuses it (ELOOP), and this class never follows it.
 */
export class Format1<E extends Entry<unknown>> {
  readonly #open: () => Directory | undefined;
  readonly #decode: (path: string, source: string) => E;

  /** @param open opens the journal's directory; undefined if it is missing */
  constructor(open: () => Directory | undefined, decode: (path: string, source: string) => E) {
    this.#open = open;
    this.#decode = decode;
  }

  /** Whether a name in the journal's directory is the name of a record. */
  isRecord(name: string): boolean {
    return /^[^.:][^:]*:.*\.(?:json|pending)$/.test(name);
  }

  /** Reads the record with a file name. Undefined if it is missing, or is a guard. */
  read(name: string): Recorded<E> | undefined {
    const top = this.#open();
    const source = top && ignoring(["ELOOP"], () => top.read(name));
    if (source === undefined) return undefined;
    return { entry: this.#decode(`${top!.path}/${name}`, source), pending: name.endsWith(".pending") };
  }

  find(attachment: Attachment): Recorded<E> | undefined {
    return this.#find(nameOf(attachment));
  }

  /** Returns the record of the attachment that holds a device. */
  findHolder(address: string): Recorded<E> | undefined {
    return this.#find(address);
  }

  /** Returns the record of an attachment that holds a device. */
  findDevice(attachment: Attachment): Recorded<E> | undefined {
    for (const name of this.#open()?.names() ?? []) {
      if (!/^[^:]+:[^:]+:.*\.(?:json|pending)$/.test(name)) continue;
      const found = ignoreUnreadable(() => this.read(name));
      if (found !== undefined && isSameAttachment(found.entry, attachment)) return found;
    }
    return undefined;
  }

  /** Returns the attachments that have a record and hold no device. */
  attachments(): Attachment[] {
    const found: Attachment[] = [];
    for (const name of this.#open()?.names() ?? []) {
      const match = /^([^:]+):([^:]+)\.(?:json|pending)$/.exec(name);
      if (match === null || ignoreUnreadable(() => this.read(name)) === undefined) continue;
      found.push({ containerId: match[1]!, ifname: match[2]! });
    }
    return found;
  }

  /** Replaces a record that exists. Its state stays. */
  rewrite(entry: E): void {
    const top = this.#open();
    const name = nameOf(entry);
    const state = top?.has(`${name}.pending`) === true ? "pending" : "json";
    if (top?.has(`${name}.${state}`) !== true) return;
    const draft = `${name}.draft`;
    remove(top, draft);
    top.create(draft, JSON.stringify({ ...entry, format: 1 }));
    top.rename(draft, `${name}.${state}`);
  }

  /** Creates the guard of a record. A name that is too long was too long for 0.1.0 too. */
  guard({ containerId, ifname, device }: E, record: string): void {
    const top = this.#open()!;
    const name = `${device?.address ?? nameOf({ containerId, ifname })}.json`;
    if (!fits(name) || top.target(name) === record) return;
    remove(top, name);
    top.link(name, record);
  }

  /** Returns the record to which the guard of a device leads. Undefined if there is no guard. */
  guarded(address: string): string | undefined {
    return this.#open()?.target(`${address}.json`);
  }

  /**
   * Removes the guards of an attachment, or its record. In both cases it removes the draft, which
   * an ADD of 0.1.0 leaves if it is killed.
   */
  remove(attachment: Removable, what: "guards" | "record"): void {
    const top = this.#open();
    if (top === undefined) return;
    const name = nameOf(attachment);
    const names = [...(fits(name) ? [name] : []), ...(attachment.device ? [attachment.device.address] : [])];
    for (const name of names) {
      for (const end of ends) if (what === "record" || end !== "pending") remove(top, `${name}.${end}`);
    }
  }

  #find(name: string): Recorded<E> | undefined {
    return fits(name) ? (this.read(`${name}.pending`) ?? this.read(`${name}.json`)) : undefined;
  }
}

/** A record's name without its end. Neither part can contain a colon or a slash. */
function nameOf({ containerId, ifname }: Attachment): string {
  return `${containerId}:${ifname}`;
}

function fits(name: string): boolean {
  return name.length + ".pending".length <= maxNameLength;
}
