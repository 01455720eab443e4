// The supported versions of the CNI specification, and the verbs of each.
import { CniError, code } from "./errors.ts";

/** Every supported version, oldest first. */
export const versions = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

/** A supported version of the CNI specification. */
export type Version = (typeof versions)[number];

/** The version of an answer to a call that states none. */
export const newest: Version = "1.1.0";

/** The values of CNI_COMMAND (SPEC.md, section 2, "CNI operations"). */
export type Verb = "ADD" | "DEL" | "CHECK" | "GC" | "STATUS" | "VERSION";

/** Whether `one` is `other` or newer. */
export function isAtLeast(one: Version, other: Version): boolean {
  return versions.indexOf(one) >= versions.indexOf(other);
}

/**
 * Returns the version of a netconf from its `cniVersion`. An absent or empty one means 0.1.0.
 *
 * Only the versions in the list are supported: `1.0` and `1.0.1` are refused. Throws a CniError 1.
 */
export function configVersion(given: unknown): Version {
  if (given === undefined || given === null || given === "") return "0.1.0";
  const version = versions.find((one) => one === given);
  if (version !== undefined) return version;
  const details = `config is ${JSON.stringify(given)}, plugin supports ${JSON.stringify(versions)}`;
  throw new CniError(code.incompatibleVersion, "incompatible CNI versions", details);
}

/** Throws a CniError 1 if the netconf's version does not have the verb. */
export function requireVerb(verb: Verb, version: Version): void {
  const since: Version = verb === "CHECK" ? "0.4.0" : verb === "GC" || verb === "STATUS" ? "1.1.0" : "0.1.0";
  if (isAtLeast(version, since)) return;
  const details = `config is ${JSON.stringify(version)}, ${verb} exists since ${JSON.stringify(since)}`;
  throw new CniError(code.incompatibleVersion, `config version does not allow ${verb}`, details);
}
