// bridge-binding on a pod.
import { type Attachment, type AttachmentOptions, attachmentOf } from "../../../harness/attachment.ts";
import type { Pod } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";

/**
 * The pod link that stands for the network `blue`: `pod` and eleven digits of its SHA-256
 * (KubeVirt, namescheme/networknamescheme.go).
 */
export const blue = "pod16477688c0e";

/** Prepares an attachment; nothing is called yet. */
export function bindingOf(scope: Scope, pod: Pod, options?: AttachmentOptions): Promise<Attachment> {
  return attachmentOf(scope, "bridge-binding", pod, options);
}
