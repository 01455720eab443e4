// The operator commands of a plugin whose whole work is a plan for the pod's namespace.
import type { Args } from "../cni/environment.ts";
import type { Netns } from "../cni/plugin.ts";
import { factText } from "../fact.ts";
import { confine } from "../kernel/confinement.ts";
import type { Planned } from "../plan/attachments.ts";
import type { Difference } from "../plan/differences.ts";
import type { Entry, PodName } from "../plan/entry.ts";
import { describeChanges } from "../plan/words.ts";
import { attachmentsIn, commandLockTimeoutMs, type Recording } from "./node.ts";
import type { DryRun, DryRunCall, Operator, Problem, Requirement } from "./operator.ts";
import type { Journaled, PodPlugin } from "./pod.ts";
import { checkRecords, collectRecords, type RecordKeeper } from "./records.ts";
import { canEnterNetns, roomForRecord } from "./requirements.ts";

/** Returns what `check`, `gc`, `status` and `explain` call. */
export function podOperator<C extends Journaled, D extends Journaled, P extends Planned>(
  plugin: PodPlugin<C, D, P>,
): Operator<C> {
  return {
    // A getter, so that no schema is built before it is needed.
    get dataDir(): string {
      return plugin.schema.salvage({}).dataDir;
    },
    check: (directory, only) => checkRecords(keeperOf(plugin, directory), only),
    collect: (directory, isDryRun) => collectRecords(keeperOf(plugin, directory), isDryRun),
    requirements: (conf) => podRequirements(plugin, conf),
    confinement: () => confine([]),
    dryRun: ({ netns, ...call }) => (netns === undefined ? undefined : dryRun(plugin, { ...call, netns })),
  };
}

/** What STATUS checks. */
export function podRequirements(
  plugin: Recording & { readonly requirements: readonly Requirement[] },
  { dataDir }: Journaled,
): Requirement[] {
  return [canEnterNetns, ...plugin.requirements, roomForRecord(dataDir, () => attachmentsIn(plugin, dataDir).probe())];
}

/**
 * Returns a path to the open namespace, which is correct even if its own path now leads elsewhere.
 */
export function procFdPath({ fd }: Netns): string {
  return `/proc/self/fd/${fd}`;
}

/** Returns the pod that kubelet names in CNI_ARGS. Empty without it. */
export function podIn({ K8S_POD_NAMESPACE: namespace, K8S_POD_NAME: name, K8S_POD_UID: uid }: Args): { pod?: PodName } {
  if (namespace === undefined || name === undefined) return {};
  return { pod: { namespace, name, ...(uid !== undefined && { uid }) } };
}

function keeperOf<C extends Journaled, D extends Journaled, P extends Planned>(
  plugin: PodPlugin<C, D, P>,
  directory: string,
): RecordKeeper<Entry> {
  const attachments = attachmentsIn(plugin, directory, { timeoutMs: commandLockTimeoutMs });
  return {
    name: plugin.name,
    records: () => attachments.records(),
    examine(entry, path) {
      const examined = attachments.examine(entry, path, plugin.recorded);
      switch (examined.is) {
        case "compared":
          return examined.differences.map((difference) => findingOf(difference, path));
        case "pending":
          return "interrupted";
        case "unrecorded":
        case "elsewhere":
          return;
      }
    },
    remove: (entry) => attachments.forget(entry),
    removal: () => ({
      done: "removed its record; all else ended with the namespace",
      due: "removes its record; all else ended with the namespace",
    }),
  };
}

function findingOf({ repair, ...difference }: Difference, path: string): Problem {
  return {
    fact: factText(difference),
    hint:
      repair === undefined
        ? "only a new ADD makes it: move the VM to a new pod, by a migration or a restart"
        : `nsenter --net=${path} ${repair}`,
  };
}

function dryRun<C extends Journaled, D extends Journaled, P extends Planned>(
  plugin: PodPlugin<C, D, P>,
  call: DryRunCall<C> & { readonly netns: Netns },
): DryRun {
  const { containerId, ifname, netns, conf } = call;
  const attachments = attachmentsIn(plugin, conf.dataDir, { timeoutMs: commandLockTimeoutMs });
  const { planned, changes, leftover } = attachments.preview(
    { containerId, ifname, netns: procFdPath(netns) },
    (kernel) => plugin.plan(kernel, call),
  );
  if (leftover)
    call.warn(
      "an earlier ADD of this attachment was killed: what it left is undone first, and the plan is made after that",
    );
  return { changes, words: describeChanges(planned.changes, planned.state), result: plugin.report(planned, call) };
}
