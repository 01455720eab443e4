// The files of records: their names, and how one is written.
import { type Directory, remove } from "./directory.ts";
import type { Entry } from "./entry.ts";
import { format, type RecordRules } from "./record.ts";

/** What a journal writes of itself into each record, and what the records may contain. */
export interface Author extends RecordRules {
  /** The release. */
  readonly version: string;
}

/** States of a record, as the ends of file names. `draft`: incomplete. */
export type State = "draft" | "pending" | "json";

/** Ends the name of an empty file: this interface has a record of format 1. */
export const format1Mark = ".format1";

/** A container ID up to this length is the name of its directory. */
const maxPlainIdLength = 200;

/** Returns the name of the directory of a container. No container ID begins with a tilde. */
export function directoryNameOf(containerId: string, sha256: (text: string) => string): string {
  return containerId.length <= maxPlainIdLength ? containerId : `~${sha256(containerId)}`;
}

export function fileNameOf(ifname: string, state: State): string {
  return `${ifname}.${state}`;
}

/** The inverse of {@link fileNameOf}, and of a name with {@link format1Mark}. */
export function parseFileName(name: string): { ifname: string; state: State | "format1" } | undefined {
  const match = /^([^:]+)\.(draft|pending|json|format1)$/.exec(name);
  return match === null ? undefined : { ifname: match[1]!, state: match[2] as State | "format1" };
}

/** Writes a record into its container's directory, completely or not at all. */
export function writeRecord(own: Directory, entry: Entry<unknown>, state: "pending" | "json", author: Author): void {
  const { plugin, version } = author;
  const kind = entry.device === undefined ? "pod" : "device";
  const draft = fileNameOf(entry.ifname, "draft");
  remove(own, draft);
  try {
    // `entry` comes last: a record that is replaced keeps the plugin and version that wrote it.
    own.create(draft, JSON.stringify({ format, plugin, kind, version, ...entry }));
    own.rename(draft, fileNameOf(entry.ifname, state));
  } catch (failure) {
    remove(own, draft);
    throw failure;
  }
}
