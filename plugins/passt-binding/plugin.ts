// The plugin passt-binding.
import { CniError, code } from "../../lib/cni/errors.ts";
import { faultsOf } from "../../lib/cni/failure.ts";
import type { AddCall } from "../../lib/cni/plugin.ts";
import type { Result } from "../../lib/cni/results.ts";
import { type Fact, factText } from "../../lib/fact.ts";
import { refuseUserNamespace } from "../../lib/kernel/namespaces.ts";
import type { NetnsKernel } from "../../lib/kernel/netns.ts";
import { checkSysctl } from "../../lib/kernel/sysctl.ts";
import { logicNetworkName } from "../../lib/kubevirt/cni-args.ts";
import type { Planned } from "../../lib/plan/attachments.ts";
import type { Change } from "../../lib/plan/change.ts";
import type { Difference } from "../../lib/plan/differences.ts";
import type { OperablePlugin } from "../../lib/plugin/operator.ts";
import { podPlugin } from "../../lib/plugin/pod-plugin.ts";
import { type Conf, type SalvagedConf, schema } from "./netconf.ts";
import { narrowed, plan, shortfalls, sysctls } from "./plan.ts";

export const passtBinding: OperablePlugin<Conf, SalvagedConf> = podPlugin({
  name: "passt-binding",
  about: "lets passt serve a VM's NIC, as user 107 without capabilities",
  schema,
  sysctls: /^net\.ipv4\.(?:ip_unprivileged_port_start|ping_group_range)$/,

  plan(kernel: NetnsKernel, call: AddCall<Conf>): Planned {
    // Nothing here uses the name, but the operator learns of an invalid one.
    logicNetworkName(call.object);
    refuseUserNamespace(call.netns.fd, `the group ${call.conf.pingGroupRange[0]} of ping_group_range`);
    const state = kernel.observe({ links: false, sysctls });
    const changes = plan(call.conf, state);
    const needed = changes.filter(({ key, to }) => state.sysctls[key] !== to);
    const faults = [
      ...needed.flatMap(({ key }) => faultsOf(() => checkSysctl(key))),
      ...missing(kernel, call).map(factText),
    ];
    if (faults.length > 0) throw new CniError(code.obstructed, faults);
    return { state, changes };
  },

  /**
   * For a binding, only the version: KubeVirt would take an interface for the network's own. In a
   * chain, prevResult unchanged.
   */
  report: (_, { prevResult }: AddCall<Conf>): Result => prevResult ?? {},

  differences: (kernel: NetnsKernel, call: AddCall<Conf>): Difference[] => [
    ...shortfalls(call.conf, kernel.observe({ links: false, sysctls })),
    ...missing(kernel, call),
  ],

  recorded: (kernel: NetnsKernel, due: readonly Change[]): Difference[] =>
    narrowed(due, kernel.observe({ links: false, sysctls })),

  requirements: sysctls.map((key) => ({ what: `${key}: can be written`, check: () => checkSysctl(key) })),
});

/** Returns a fact if the link that passt serves does not exist. */
function missing(kernel: NetnsKernel, { conf }: AddCall<Conf>): Fact[] {
  return conf.interface === undefined || kernel.hasLink(conf.interface)
    ? []
    : [
        {
          subject: conf.interface,
          fact: "is not in the namespace; interface must name the pod's link that passt serves",
        },
      ];
}
