// What faults befall: a plugin's attachment of a pod in which there is some of everything that the
// plugin changes.
import { type Attachment, attachmentOf } from "../../harness/attachment.ts";
import type { SystemCall } from "../../harness/faults.ts";
import { createPod, type Pod } from "../../harness/pod.ts";
import type { Scope } from "../../harness/scope.ts";
import { settledDifferences, snapshot } from "../../harness/snapshot.ts";

/** A plugin of ours. */
export interface Subject {
  /** The executable's. */
  readonly name: string;
  /** The capabilities that root needs for it, as setpriv(1) has them. */
  readonly capabilities: readonly string[];
  /** Puts a new pod on its network, and adds whatever ADD has to take away and DEL to give back. */
  readonly furnish: (pod: Pod) => Promise<void>;
  /**
   * Puts a new pod on cheap networks and prepares four attachments of it, `net1` to `net4`, whose
   * journal is in `dataDir`.
   */
  readonly four: (scope: Scope, pod: Pod, dataDir: string) => Promise<readonly Attachment[]>;
}

/** A pod and an attachment of it, which is not made. */
export interface Ground {
  readonly pod: Pod;
  readonly attachment: Attachment;
  /** How the pod, once it has settled, differs from what it was, and which records there are. */
  differences(): Promise<string[]>;
}

/** Makes one; gone when `scope` ends. `more` is done to the pod before. */
export async function groundOf(
  scope: Scope,
  { name, furnish }: Subject,
  more: (pod: Pod) => Promise<void> = async () => undefined,
): Promise<Ground> {
  const pod = await createPod(scope);
  await furnish(pod);
  await more(pod);
  const attachment = await attachmentOf(scope, name, pod);
  // Once before, so that all of the pod's links are of the same age, and the journal's directories
  // are there.
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

/** What a test says of a call: `sendto 7: sendto(3<socket:[…`. */
export function describe({ name, nth, text }: SystemCall): string {
  return `${name} ${nth}: ${text.slice(0, 110)}`;
}
