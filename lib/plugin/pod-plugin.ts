// Derives all verbs of a plugin from its plan for the pod's network namespace: the plugin plans and
// reports, the other verbs work from the journal.
import { CniError, code } from "../cni/errors.ts";
import type { AddCall, DelCall, GcCall, StatusCall } from "../cni/plugin.ts";
import type { Result } from "../cni/results.ts";
import { factText } from "../fact.ts";
import { throwAll } from "../failures.ts";
import { confineInPod } from "../kernel/confinement.ts";
import type { NetnsKernel } from "../kernel/netns.ts";
import { type SharedDirectory, sharedDirectory } from "../kernel/roots.ts";
import type { Planned } from "../plan/attachments.ts";
import { attachmentsIn, journalsOf, knownJournals } from "./node.ts";
import type { OperablePlugin } from "./operator.ts";
import type { Journaled, PodPlugin } from "./pod.ts";
import { podIn, podOperator, podRequirements, procFdPath } from "./pod-operator.ts";
import { requireAll } from "./requirements.ts";

/** Returns the plugin. ADD is all or nothing. DEL, GC and a failed ADD restore the pod. */
export function podPlugin<C extends Journaled, D extends Journaled, P extends Planned>(
  plugin: PodPlugin<C, D, P>,
): OperablePlugin<C, D> {
  const { name, about, schema } = plugin;
  return {
    name,
    about,
    schema,
    operator: podOperator(plugin),

    add(call: AddCall<C>): Result {
      const { containerId, ifname, network, netns, conf } = call;
      const target = {
        containerId,
        ifname,
        network,
        ...podIn(call.args),
        netns: netns.path,
        entrance: procFdPath(netns),
      };
      const shared = sharedDirectory();
      if (plugin.startsPrograms?.(conf) !== true) confineInPod(() => writtenIn(call, shared));
      const planned = attachmentsIn(plugin, conf.dataDir, { shared }).add(target, (kernel) =>
        plugin.plan(kernel, call),
      );
      return plugin.report(planned, call);
    },

    del(call: DelCall<D>): void {
      const shared = sharedDirectory();
      confineInPod(() => writtenIn(call, shared));
      attachmentsIn(plugin, call.conf.dataDir, { shared }).remove(call, call.netns && procFdPath(call.netns));
    },

    check(call: AddCall<C>): void {
      const shared = sharedDirectory();
      confineInPod(() => writtenIn(call, shared));
      const compare = plugin.differences && ((kernel: NetnsKernel) => plugin.differences!(kernel, call));
      const found = attachmentsIn(plugin, call.conf.dataDir, { shared }).differences(call, call.netns.path, compare);
      if (found.length > 0) throw new CniError(code.differs, found.map(factText));
    },

    gc(call: GcCall<D>): void {
      const valid = call.valid.map(({ containerID, ifname }) => ({ containerId: containerID, ifname }));
      const shared = sharedDirectory();
      const attachments = attachmentsIn(plugin, call.conf.dataDir, { shared });
      // A confined call cannot open a namespace by a process. Runtimes give such paths, but seldom.
      if (!attachments.hasPathBelow("/proc")) confineInPod(() => [call.conf.dataDir, ...knownJournals(shared)]);
      throwAll(attachments.collect(call.network, valid));
    },

    status({ conf }: StatusCall<C>): void {
      requireAll(podRequirements(plugin, conf));
    },
  };
}

/** The journals that a call may write to: its own, and those of the container's other plugins. */
function writtenIn(
  { conf, containerId }: { readonly conf: Journaled; readonly containerId: string },
  shared: SharedDirectory,
): string[] {
  return [conf.dataDir, ...journalsOf(containerId, shared)];
}
