// Which versions of the CNI specification there are, and which verbs each of them has.
import { CniError, code } from "./errors.ts";

/** Every version that is understood, oldest first. */
export const versions = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

/** A version of the CNI specification that is understood. */
export type Version = (typeof versions)[number];

/** The version of what is said when nobody told us one. */
export const newest: Version = "1.1.0";

/** What a runtime can ask for (SPEC.md, section 2, "CNI operations"). */
export type Verb = "ADD" | "DEL" | "CHECK" | "GC" | "STATUS" | "VERSION";

/** Whether `one` is `other` or newer. */
export function isAtLeast(one: Version, other: Version): boolean {
  return versions.indexOf(one) >= versions.indexOf(other);
}

/**
 * The version of a configuration, given its `cniVersion`: none, or an empty one, means 0.1.0.
 * Support is membership of the list, so `1.0` and `1.0.1` are refused. Throws a CniError 1.
 */
export function configVersion(given: unknown): Version {
  if (given === undefined || given === null || given === "") return "0.1.0";
  const version = versions.find((one) => one === given);
  if (version !== undefined) return version;
  const details = `config is ${JSON.stringify(given)}, plugin supports ${JSON.stringify(versions)}`;
  throw new CniError(code.incompatibleVersion, "incompatible CNI versions", details);
}

/** Throws a CniError 1 where the configuration's version does not have the verb yet. */
export function requireVerb(verb: Verb, version: Version): void {
  const since: Version = verb === "CHECK" ? "0.4.0" : verb === "GC" || verb === "STATUS" ? "1.1.0" : "0.1.0";
  if (isAtLeast(version, since)) return;
  const details = `config is ${JSON.stringify(version)}, ${verb} exists since ${JSON.stringify(since)}`;
  throw new CniError(code.incompatibleVersion, `config version does not allow ${verb}`, details);
}
