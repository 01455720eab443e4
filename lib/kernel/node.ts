// The node that a plugin runs on, as far as plans and verbs need it.

import * as host from "host";
import { ignoring } from "../errno.ts";
import { Attachments } from "../plan/attachments.ts";
import { Journal } from "../plan/journal.ts";
import { faultOfChange } from "../plan/recordable.ts";
import { namespacesIn } from "./namespaces.ts";
import type { NetnsKernel } from "./netns.ts";

/** How long a runtime's call waits for another one that is busy in the same pod, in milliseconds. */
const patience = 20_000;

/** How long a person waits for a call that is busy with the same pod or device, in milliseconds. */
export const shortPatience = 2_000;

/** The attachments whose journal is in `directory`; `wait` is how many milliseconds a call waits for another one in the same pod. */
export function attachmentsIn(directory: string, wait = patience): Attachments<NetnsKernel> {
  return new Attachments(new Journal(directory, host, faultOfChange), namespacesIn(wait));
}

/** The SHA-256 of the text's UTF-8, as 64 lower-case hex digits. */
export const { sha256 } = host;

/** Whether there is anything at the path. */
export function isPresent(path: string): boolean {
  return ignoring(["ENOENT"], () => host.stat(path)) !== undefined;
}
