// The ground of the plugins that bind what a pod has: a pod on a network of Debian's bridge, with
// both families.
import { dirname } from "node:path";
import { attachmentOf } from "../../../harness/attachment.ts";
import { createPod, type Pod } from "../../../harness/pod.ts";
import { previousResult } from "../../../harness/previous-result.ts";
import type { Scope } from "../../../harness/scope.ts";
import { snapshot } from "../../../harness/snapshot.ts";
import { fileLines, type Ground } from "../subject.ts";

/** Makes one. `meddle` is {@link Ground.meddle} for that pod. */
export async function podGround(
  scope: Scope,
  plugin: string,
  beside: Ground | undefined,
  meddle: (pod: Pod) => ReturnType<Ground["meddle"]>,
): Promise<Ground> {
  const pod = await createPod(scope);
  const network = await pod.attach({ kind: "bridge", families: "dual" });
  const options = beside === undefined ? {} : { dataDir: beside.netconf["dataDir"] as string };
  const { call, netconf, dataDir } = await attachmentOf(scope, plugin, pod, options);
  // newDataDir leaves two directories to be made.
  const directory = dirname(dirname(dataDir));
  return {
    call,
    netconf,
    namespace: pod.namespace,
    directory,
    state: async () => [...(await snapshot(pod.namespace)), ...fileLines(directory)],
    surroundings: () => snapshot(pod.node),
    previousResult: (version) => previousResult(version, network, pod),
    meddle: () => meddle(pod),
  };
}
