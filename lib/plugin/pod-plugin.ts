// Plugins whose whole work is a plan for the pod's network namespace: what ADD plans and reports is theirs, all other verbs come from the journal.
import { CniError, code } from "../cni/errors.ts";
import { fault } from "../cni/failure.ts";
import type { Attachment, Collection, Detachment, Inquiry, Netconf, Plugin } from "../cni/plugin.ts";
import type { Result } from "../cni/results.ts";
import { throwAll } from "../failures.ts";
import type { NetnsKernel } from "../kernel/netns.ts";
import { attachmentsIn } from "../kernel/node.ts";
import type { Planned } from "../plan/attachments.ts";
import type { Change } from "../plan/change.ts";
import type { Difference } from "../plan/differences.ts";
import type { Look } from "./operator.ts";
import { entranceOf, looksOf, podOperator } from "./pod-operator.ts";

/** What such a plugin's configuration must have: the directory of its journal. */
export interface Journaled {
  readonly dataDir: string;
}

/** One of these plugins. */
export interface PodPlugin<C extends Journaled, D extends Journaled, P extends Planned> {
  readonly name: string;
  readonly about: string;
  readonly netconf: Netconf<C, D>;
  /** Sees the pod's namespace, changes nothing, and gives the changes that ADD is to make. Throws where they cannot be made. */
  plan(kernel: NetnsKernel, call: Attachment<C>): P;
  /** What ADD tells the runtime once the plan is performed. */
  report(planned: P, call: Attachment<C>): Result;
  /** What CHECK finds wrong: every difference from what ADD made, unless told. */
  differences?(kernel: NetnsKernel, call: Attachment<C>): string[];
  /** The same where only the record is known: every difference from what it describes, unless told. */
  recorded?(kernel: NetnsKernel, due: readonly Change[]): Difference[];
  /** What STATUS looks at. Whether namespaces can be entered, and the journal's directory, is looked at anyway. */
  readonly needs: readonly Look[];
}

/** Makes a plugin of it: all or nothing in ADD, exactly back in DEL, in GC and where ADD fails. */
export function podPlugin<C extends Journaled, D extends Journaled, P extends Planned>(
  plugin: PodPlugin<C, D, P>,
): Plugin<C, D> {
  const { name, about, netconf } = plugin;
  return {
    name,
    about,
    netconf,
    operator: podOperator(plugin),

    add(call: Attachment<C>): Result {
      const { containerId, ifname, network, netns, conf } = call;
      const target = { containerId, ifname, network, netns: netns.path, entrance: entranceOf(netns) };
      const planned = attachmentsIn(conf.dataDir).add(target, (kernel) => plugin.plan(kernel, call));
      return plugin.report(planned, call);
    },

    del(call: Detachment<D>): void {
      attachmentsIn(call.conf.dataDir).remove(call, call.netns && entranceOf(call.netns));
    },

    check(call: Attachment<C>): void {
      const compare = plugin.differences && ((kernel: NetnsKernel) => plugin.differences!(kernel, call));
      const found = attachmentsIn(call.conf.dataDir).differences(call, call.netns.path, compare);
      if (found.length > 0) throw new CniError(code.differs, found.join("; "));
    },

    gc(call: Collection<D>): void {
      const valid = call.valid.map(({ containerID, ifname }) => ({ containerId: containerID, ifname }));
      throwAll(attachmentsIn(call.conf.dataDir).collect(call.network, valid));
    },

    status({ conf }: Inquiry<C>): void {
      const faults = looksOf(plugin, conf).flatMap((look) => fault(look.fault));
      if (faults.length > 0) throw new CniError(code.unavailable, faults.join("; "));
    },
  };
}
