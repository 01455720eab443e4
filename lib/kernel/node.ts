// Small reads from the node.
import * as host from "host";

/** Returns the SHA-256 of the text's UTF-8, as 64 lower-case hex digits. */
export const { sha256 } = host;

/** Whether anything exists at the path. */
export function isPresent(path: string): boolean {
  return host.statIfThere(path) !== undefined;
}
