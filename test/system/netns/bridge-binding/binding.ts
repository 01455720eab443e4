// Prepares attachments of bridge-binding for the tests.
import { type Attachment, type AttachmentOptions, attachmentOf } from "../../../harness/attachment.ts";
import type { Pod } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";

/**
 * The name of the pod link of the network `blue`.
 *
 * It is `pod` and eleven hexadecimal digits of the SHA-256 of the network's name (KubeVirt,
 * namescheme/networknamescheme.go).
 */
export const blue = "pod16477688c0e";

/** Prepares an attachment, but calls no plugin. */
export function bindingOf(scope: Scope, pod: Pod, options?: AttachmentOptions): Promise<Attachment> {
  return attachmentOf(scope, "bridge-binding", pod, options);
}
