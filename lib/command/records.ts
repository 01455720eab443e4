// What `check` and `gc` share: the journal's directory, and the name of an attachment.

import type { Operator, RecordedAttachment } from "../plugin/operator.ts";
import { type Option, UsageError } from "./arguments.ts";
import type { AnyPlugin, Invocation } from "./command.ts";

export const dataDir: Option = {
  name: "data-dir",
  value: "DIR",
  about: "the directory of the records; default: that of a configuration without dataDir",
};

/** Returns the plugin's part of the command. Throws an Error if it has none. */
export function operatorOf({ program: plugin }: Invocation<AnyPlugin>, verb: string): Operator<unknown> {
  if (plugin.operator === undefined)
    throw new Error(`${verb}: ${plugin.name} has no such command, because it keeps no records`);
  return plugin.operator;
}

/** Returns the journal's directory. Throws as {@link askedDirectory} does. */
export function journalDirectoryOf(invocation: Invocation<AnyPlugin>, operator: Operator<unknown>): string {
  return askedDirectory(invocation) ?? operator.dataDir;
}

/**
 * Returns the directory in `--data-dir`. Throws a UsageError if the path is not absolute, and an
 * Error if there is no such directory.
 */
export function askedDirectory({
  given,
  terminal,
}: Pick<Invocation<AnyPlugin>, "given" | "terminal">): string | undefined {
  const path = given.values["data-dir"];
  if (path === undefined) return undefined;
  if (!path.startsWith("/")) throw new UsageError(`--data-dir: must be an absolute path, not ${JSON.stringify(path)}`);
  const directory = path.replace(/(?<=.)\/+$/, "");
  terminal.stat(directory);
  return directory;
}

/** `net1 of container 0a1b (network blue), /run/netns/blue`. */
export function subjectText({ ifname, containerId, network, netns, device }: RecordedAttachment): string {
  return `${ifname} of container ${containerId} (network ${network}), ${device === undefined ? "" : `${device}, `}${netns}`;
}

/**
 * Returns the path of the namespace that a text names: a process, a name in /run/netns, or a path.
 * Undefined if the text is none of these.
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
