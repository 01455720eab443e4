// The subject of a fault: a plugin's attachment of a pod that has an object of each kind that the
// plugin changes.
import { type Attachment, attachmentOf } from "../../harness/attachment.ts";
import type { SystemCall } from "../../harness/faults.ts";
import { createPod, type Pod } from "../../harness/pod.ts";
import type { Scope } from "../../harness/scope.ts";
import { settledDifferences, snapshot } from "../../harness/snapshot.ts";

/** A plugin of ours. */
export interface Subject {
  /** The executable's name. */
  readonly name: string;
  /** The capabilities that root needs to call it, as setpriv(1) spells them. */
  readonly capabilities: readonly string[];
  /** Attaches a new pod to its network, and adds what ADD must remove and DEL must restore. */
  readonly furnish: (pod: Pod) => Promise<void>;
  /**
   * Attaches a new pod to networks that are fast to create. Prepares four attachments of the pod,
   * `net1` to `net4`, with their journal in `dataDir`.
   */
  readonly four: (scope: Scope, pod: Pod, dataDir: string) => Promise<readonly Attachment[]>;
}

/** A pod, and an attachment that is not added yet. */
export interface Ground {
  readonly pod: Pod;
  readonly attachment: Attachment;
  /** The differences of the pod from its first state, after it has settled, and all records. */
  differences(): Promise<string[]>;
}

/** Deletes the pod when `scope` ends. `more` prepares the pod further. */
export async function groundOf(
  scope: Scope,
  { name, furnish }: Subject,
  more: (pod: Pod) => Promise<void> = async () => undefined,
): Promise<Ground> {
  const pod = await createPod(scope);
  await furnish(pod);
  await more(pod);
  const attachment = await attachmentOf(scope, name, pod);
  // One ADD and DEL first, so that the journal's directories exist and the pod's links have the
  // same age.
  await attachment.add();
  await attachment.del();
  const before = await snapshot(pod.namespace);
  return {
    pod,
    attachment,
    differences: async () => [
      ...(await settledDifferences(pod.namespace, before)),
      ...(await attachment.journal()).map((record) => `+ record ${record}`),
    ],
  };
}

/** Describes a system call in a test's message: `sendto 7: sendto(3<socket:[…`. */
export function describe({ name, nth, text }: SystemCall): string {
  return `${name} ${nth}: ${text.slice(0, 110)}`;
}
