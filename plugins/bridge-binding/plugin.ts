// The plugin bridge-binding.
import { CniError, code } from "../../lib/cni/errors.ts";
import { requestedMac } from "../../lib/cni/mac.ts";
import type { AddCall } from "../../lib/cni/plugin.ts";
import type { Result } from "../../lib/cni/results.ts";
import { refuseUserNamespace } from "../../lib/kernel/namespaces.ts";
import { NetnsKernel } from "../../lib/kernel/netns.ts";
import { isPresent, sha256 } from "../../lib/kernel/node.ts";
import { logicNetworkName } from "../../lib/kubevirt/cni-args.ts";
import { linkNames } from "../../lib/kubevirt/names.ts";
import { macFromHex } from "../../lib/net/mac.ts";
import type { Planned } from "../../lib/plan/attachments.ts";
import type { OperablePlugin } from "../../lib/plugin/operator.ts";
import { podPlugin } from "../../lib/plugin/pod-plugin.ts";
import { type Conf, type SalvagedConf, schema } from "./netconf.ts";
import { obstacles, plan, type Situation, sysctls } from "./plan.ts";
import { choosePodLink } from "./podlink.ts";
import { report } from "./report.ts";

export const bridgeBinding: OperablePlugin<Conf, SalvagedConf> = podPlugin({
  name: "bridge-binding",
  about: "hangs a VM's NIC on a pod's network by way of an in-pod bridge and a tap",
  schema,
  sysctls: /^net\.(?:ipv4\.conf|ipv6\.conf|bridge)\./,

  // The tap's label is that of a process that is started for it.
  startsPrograms: ({ selinuxContext }: Conf): boolean => selinuxContext !== undefined,

  plan(kernel: NetnsKernel, call: AddCall<Conf>): Situation & Planned {
    const situation = look(kernel, call);
    if (call.conf.attachment === "tap")
      refuseUserNamespace(call.netns.fd, `the owner ${call.conf.owner} of ${situation.names.tap}`);
    const faults = obstacles(situation);
    if (faults.length > 0) throw new CniError(code.obstructed, faults);
    if (situation.placeholder === "bridge" && call.conf.attachment === "tap")
      call.warn(
        `${situation.names.podLink}: no dummy links in this kernel (CONFIG_DUMMY); using a bridge without ports as placeholder`,
      );
    return { ...situation, changes: plan(situation) };
  },

  report: ({ changes, names }: Situation & Planned, { netns, prevResult }: AddCall<Conf>): Result =>
    report(changes, { names, sandbox: netns.path, ...(prevResult && { prevResult }) }),

  requirements: [
    {
      what: "/dev/net/tun",
      check() {
        if (!isPresent("/dev/net/tun"))
          throw new Error("/dev/net/tun: is missing, and no tap can be created; load the module tun");
      },
    },
    {
      what: "kernel: bridge links",
      check() {
        if (!new NetnsKernel().has("bridge"))
          throw new Error("kernel: has no bridge links; load the module bridge (CONFIG_BRIDGE)");
      },
    },
  ],
});

/** Reads the input of the plan. */
function look(kernel: NetnsKernel, call: AddCall<Conf>): Situation {
  const { conf, containerId } = call;
  const request = {
    conf,
    ifname: call.ifname,
    chained: call.prevResult !== undefined,
    logicNetworkName: logicNetworkName(call.object),
  };
  const choose = (present: readonly string[]): string => choosePodLink({ ...request, present }, sha256);
  // Of the other links only KubeVirt's bridges matter: they may have one of its addresses.
  const isWanted = ({ name }: { readonly name: string }): boolean => name.startsWith("k6t-") || choose([name]) === name;
  const state = kernel.observe({ links: true, detail: { isWanted }, sysctls });
  const podLink = choose(state.links.map(({ name }) => name));
  const names = linkNames(podLink, podLink === conf.primaryInterface, sha256);
  const guestMac = requestedMac(call, conf.mac);
  return {
    conf,
    names,
    state,
    bridgeMac: macFromHex(sha256(`${containerId}/${names.bridge}`)),
    tapMac: macFromHex(sha256(`${containerId}/${names.tap}`)),
    ...(guestMac !== undefined && { guestMac }),
    selinux: conf.selinuxContext !== undefined && isPresent("/sys/fs/selinux"),
    placeholder: kernel.has("dummy") ? "dummy" : "bridge",
  };
}
