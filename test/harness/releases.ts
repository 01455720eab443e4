// Calls the executables of an earlier release, which test/system/upgrade/build builds from the
// history.
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Attachment } from "./attachment.ts";
import { callPlugin, dist } from "./plugin.ts";
import type { Scope } from "./scope.ts";

/** The directory of the executables of 0.1.0. It may not exist. */
export const firstRelease = fileURLToPath(new URL("../../.cache/releases/0.1.0", import.meta.url));

/** What every call of an attachment has in common. */
type Called = Pick<Attachment, "call" | "netconf">;

/**
 * Returns a function that calls the attachment's plugin as {@link Attachment.run} does, with the
 * executable in `directory`. CHECK gets an empty prevResult.
 */
export function callsOf(directory: string, { call, netconf }: Called): Attachment["run"] {
  return (verb, extra, other) => {
    const prevResult = verb === "CHECK" && { prevResult: { cniVersion: netconf["cniVersion"] } };
    const input = { ...netconf, ...prevResult, ...extra };
    return callPlugin(`${directory}/${netconf["type"]}`, verb, { ...call, ...other }, input);
  };
}

/** Returns a function that calls the attachment's plugin of 0.1.0. */
export function firstReleaseOf(attachment: Called): Attachment["run"] {
  return callsOf(firstRelease, attachment);
}

/** Returns a directory into which the plugin's executable is installed once more. */
export async function installAgain(scope: Scope, plugin: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "installed-"));
  scope.teardown(() => rm(directory, { recursive: true }));
  await copyFile(`${dist}/${plugin}`, join(directory, plugin));
  return directory;
}
