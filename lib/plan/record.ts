// Decodes the record of an attachment. What DEL undoes with root's rights is read from here: a
// record that no plugin can have written is refused.
import { isErrno } from "../errno.ts";
import { FactError } from "../fact.ts";
import type { Change } from "./change.ts";
import type { DeviceChange } from "./device.ts";
import type { Entry } from "./entry.ts";
import { record, recordOfFormat1 } from "./record-shapes.ts";

/** The file format that this version writes. Format 1 (version 0.1.0) is read. */
export const format = 2;

/** What the records of one plugin may contain. */
export interface RecordRules {
  /** Absent: any plugin, for the records of another plugin in the same pod. */
  readonly plugin?: string;
  /** Default: all. */
  readonly changes?: readonly string[];
  /** The sysctls that the plugin changes. Default: all of a network namespace. */
  readonly sysctls?: RegExp;
}

/**
 * Decodes a record.
 *
 * @throws FactError that names the field if the record is damaged, if a version with another format
 *   wrote it, or if it holds what this plugin never records
 */
export function decodeRecord(path: string, source: string, rules: RecordRules): Entry<unknown> {
  let value: { readonly format?: unknown };
  try {
    value = JSON.parse(source) ?? {};
  } catch (failure) {
    throw new FactError(path, `is not a record: it does not parse: ${(failure as Error).message}`);
  }
  if (value.format !== format && value.format !== 1)
    throw new FactError(
      path,
      `has format ${JSON.stringify(value.format)}, expected ${format}; DEL the attachment with the version that wrote it`,
    );
  const fault = (value.format === 1 ? recordOfFormat1 : record)(value);
  if (fault !== undefined) throw new FactError(path, `is not a record of this version: ${fault.replace(/^\./, "")}`);
  const entry = value as unknown as Entry<Change | DeviceChange> & { readonly plugin?: string };
  const foreign = foreignPart(entry, rules);
  if (foreign !== undefined) throw new FactError(path, foreign);
  return entry;
}

function foreignPart(
  { plugin, changes }: Entry<Change | DeviceChange> & { readonly plugin?: string },
  rules: RecordRules,
): string | undefined {
  if (plugin !== undefined && rules.plugin !== undefined && plugin !== rules.plugin)
    return `is a record of ${JSON.stringify(plugin)}, expected one of ${rules.plugin}`;
  for (const [position, change] of changes.entries()) {
    if (rules.changes?.includes(change.do) === false)
      return `changes[${position}] is a change of kind ${change.do}, which ${rules.plugin} never makes`;
    if (change.do === "sysctl" && rules.sysctls?.test(change.key) === false)
      return `changes[${position}] has the key ${JSON.stringify(change.key)}, which ${rules.plugin} never changes`;
  }
  return undefined;
}

/** Calls `read`. Returns undefined if {@link decodeRecord} does not accept the file. */
export function ignoreUnreadable<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch (failure) {
    if (failure instanceof FactError || isErrno(failure, "ELOOP", "EFBIG", "EILSEQ")) return undefined;
    throw failure;
  }
}
