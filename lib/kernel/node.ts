// The node that a plugin runs on, as far as plans and verbs need it.
import * as host from "host";
import { Attachments } from "../plan/attachments.ts";
import { Journal } from "../plan/journal.ts";
import { namespaces } from "./namespaces.ts";
import type { NetnsKernel } from "./netns.ts";

/** The attachments whose journal is in `directory`. */
export function attachmentsIn(directory: string): Attachments<NetnsKernel> {
  return new Attachments(new Journal(directory, host), namespaces);
}

/** The SHA-256 of the text's UTF-8, as 64 lower-case hex digits. */
export const { sha256 } = host;

/** Whether there is anything at the path. */
export function isPresent(path: string): boolean {
  try {
    host.stat(path);
    return true;
  } catch (failure) {
    if ((failure as host.HostError).code === "ENOENT") return false;
    throw failure;
  }
}
