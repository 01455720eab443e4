// Reads the environment of a call (SPEC.md, section 2, "Parameters").
import { CniError, code } from "./errors.ts";
import type { Verb } from "./versions.ts";

/** The process's environment. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** CNI_ARGS, decoded. The object has no prototype, so that any key may be looked up. */
export type Args = Readonly<Record<string, string | undefined>>;

/** The variables that each verb requires. CNI_PATH is checked when a delegate is run. */
const needed = {
  ADD: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"],
  CHECK: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"],
  DEL: ["CNI_CONTAINERID", "CNI_IFNAME"],
  GC: ["CNI_PATH"],
  STATUS: [],
} as const;

/**
 * Returns the verb in CNI_COMMAND. Throws a CniError 4 for any other text: the verbs are in
 * capitals.
 */
export function verbOf(command: string): keyof typeof needed {
  if (Object.hasOwn(needed, command)) return command as keyof typeof needed;
  throw new CniError(code.badEnvironment, `unknown CNI_COMMAND: ${command}`);
}

/**
 * Throws a CniError 4 that names every variable that the verb requires and that is missing or
 * malformed. Ignores the others.
 */
export function requireEnvironment(verb: Exclude<Verb, "VERSION">, env: Variables): void {
  const missing = needed[verb].filter((name) => !env[name]);
  if (missing.length > 0)
    throw new CniError(code.badEnvironment, `required env variables [${missing.join(",")}] missing`);
  if (verb === "GC" || verb === "STATUS") return;

  const containerId = env.CNI_CONTAINERID!;
  if (!isIdentifier(containerId))
    throw new CniError(
      code.badEnvironment,
      "invalid characters in containerID",
      quoted("CNI_CONTAINERID", containerId),
    );
  const fault = linkNameFault(env.CNI_IFNAME!);
  if (fault !== undefined)
    throw new CniError(code.badEnvironment, `interface name ${fault}`, quoted("CNI_IFNAME", env.CNI_IFNAME!));
}

function quoted(variable: string, value: string): string {
  return `${variable} is ${JSON.stringify(value)}`;
}

/** Whether the text is a valid container ID or network name (SPEC.md, section 2). */
export function isIdentifier(text: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(text);
}

/**
 * Says why the text is not a valid link name (SPEC.md, section 2; `dev_valid_name` of
 * net/core/dev.c). Undefined if it is.
 */
export function linkNameFault(name: string): string | undefined {
  if (name === "") return "is empty";
  if (utf8Length(name) > 15) return "is too long";
  if (name === "." || name === "..") return "is . or ..";
  // Unicode's White_Space, written out: \s of this engine includes U+FEFF and lacks U+0085.
  if (/[/:\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/.test(name))
    return "contains / or : or whitespace characters";
  return undefined;
}

function utf8Length(text: string): number {
  let length = 0;
  for (const character of text) {
    const point = character.codePointAt(0)!;
    length += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return length;
}

/**
 * Decodes CNI_ARGS, `KEY=VALUE;KEY=VALUE`. A value may contain "=".
 *
 * If a key appears more than once, the last one wins: Multus relies on it in its thin mode. Throws
 * a CniError 4 for a pair without "=" or without a key (`=value`).
 */
export function parseArgs(text: string | undefined): Args {
  const args: Record<string, string> = Object.create(null);
  for (const pair of (text ?? "").split(";")) {
    const at = pair.indexOf("=");
    if (at > 0) args[pair.slice(0, at)] = pair.slice(at + 1);
    else if (pair !== "")
      throw new CniError(code.badEnvironment, `CNI_ARGS: invalid pair ${JSON.stringify(pair)}, expected KEY=VALUE`);
  }
  return args;
}

/** Returns the directories of CNI_PATH. Skips empty ones: they would mean the working directory. */
export function parsePath(text: string | undefined): string[] {
  return (text ?? "").split(":").filter((directory) => directory !== "");
}
