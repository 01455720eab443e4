// What `check` and `gc` have in common: where records are, and how an attachment on record is
// called.

import type { Operator, RecordedAttachment } from "../plugin/operator.ts";
import { type Option, UsageError } from "./arguments.ts";
import type { AnyPlugin, Invocation } from "./command.ts";

export const dataDir: Option = {
  name: "data-dir",
  value: "DIR",
  about: "where the records are, if a configuration names another dataDir than the default",
};

/** The plugin's part. Throws an Error where it has none. */
export function operatorOf({ program: plugin }: Invocation<AnyPlugin>, verb: string): Operator<unknown> {
  if (plugin.operator === undefined)
    throw new Error(`${verb}: ${plugin.name} has no such verb, because it keeps no records of what it did`);
  return plugin.operator;
}

/** The records' directory. Throws as {@link askedDirectory} does. */
export function journalDirectoryOf(invocation: Invocation<AnyPlugin>, operator: Operator<unknown>): string {
  return askedDirectory(invocation) ?? operator.dataDir;
}

/**
 * What `--data-dir` names. Throws a UsageError for what is no absolute path, and an Error where
 * there is no such directory.
 */
export function askedDirectory({
  given,
  terminal,
}: Pick<Invocation<AnyPlugin>, "given" | "terminal">): string | undefined {
  const asked = given.values["data-dir"];
  if (asked === undefined) return undefined;
  if (!asked.startsWith("/"))
    throw new UsageError(`--data-dir: must be an absolute path, not ${JSON.stringify(asked)}`);
  const directory = asked.replace(/(?<=.)\/+$/, "");
  terminal.stat(directory);
  return directory;
}

/** `net1 of container 0a1b (network blue), /run/netns/blue`. */
export function subjectText({ ifname, containerId, network, netns, device }: RecordedAttachment): string {
  return `${ifname} of container ${containerId} (network ${network}), ${device === undefined ? "" : `${device}, `}${netns}`;
}

/**
 * A process's network namespace, one by its name below /run/netns, a path, or `undefined` for what
 * is none of these.
 */
export function netnsPath(text: string, { terminal }: Pick<Invocation<AnyPlugin>, "terminal">): string | undefined {
  if (text.includes("/")) return text;
  const isThere = (path: string): boolean => {
    try {
      terminal.stat(path);
      return true;
    } catch {
      return false;
    }
  };
  if (/^\d{1,10}$/.test(text) && isThere(`/proc/${text}`)) return `/proc/${text}/ns/net`;
  return isThere(`/run/netns/${text}`) ? `/run/netns/${text}` : undefined;
}
