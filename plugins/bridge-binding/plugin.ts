// The verbs of bridge-binding.
import { CniError, code } from "../../lib/cni/errors.ts";
import { requestedMac } from "../../lib/cni/mac.ts";
import type { Attachment, Collection, Detachment, Inquiry, Plugin } from "../../lib/cni/plugin.ts";
import type { Result } from "../../lib/cni/results.ts";
import { NetnsKernel } from "../../lib/kernel/netns.ts";
import { attachmentsIn, isPresent, sha256 } from "../../lib/kernel/node.ts";
import { logicNetworkName } from "../../lib/kubevirt/cni-args.ts";
import { type LinkNames, linkNames } from "../../lib/kubevirt/names.ts";
import type { Attachments } from "../../lib/plan/attachments.ts";
import { type Netconf, netconf } from "./netconf.ts";
import { obstacles, plan, type Situation, sysctls } from "./plan.ts";
import { choosePodLink } from "./podlink.ts";
import { report } from "./report.ts";

export const bridgeBinding: Plugin<Netconf> = {
  name: "bridge-binding",
  about: "hangs a VM's NIC on a pod's network by way of an in-pod bridge and a tap",
  netconf,

  add(call: Attachment<Netconf>): Result {
    let names: LinkNames | undefined;
    const { changes } = attachments(call.conf).add(target(call), (kernel) => {
      const situation = look(kernel, call);
      names = situation.names;
      const faults = obstacles(situation);
      if (faults.length > 0) throw new CniError(code.obstructed, faults.join("; "));
      if (situation.placeholder === "bridge")
        call.warn(
          `${names.podLink}: this kernel has no dummy links (CONFIG_DUMMY); a bridge without ports takes the name instead`,
        );
      return { changes: plan(situation), state: situation.state };
    });
    return report(changes, {
      names: names!,
      sandbox: call.netns.path,
      ...(call.prevResult && { prevResult: call.prevResult }),
    });
  },

  del(call: Detachment<Partial<Netconf>>): void {
    attachments(call.conf).remove(call, call.netns?.path);
  },

  check(call: Attachment<Netconf>): void {
    const found = attachments(call.conf).differences(call, call.netns.path);
    if (found.length > 0) throw new CniError(code.differs, found.join("; "));
  },

  gc(call: Collection<Partial<Netconf>>): void {
    const valid = call.valid.map(({ containerID, ifname }) => ({ containerId: containerID, ifname }));
    const failures = attachments(call.conf).collect(call.network, valid);
    if (failures.length > 0) throw new AggregateError(failures, "some attachments could not be removed");
  },

  status(call: Inquiry<Netconf>): void {
    const faults: string[] = [];
    if (!isPresent("/dev/net/tun"))
      faults.push("/dev/net/tun: is missing, so that no tap can be made; load the module tun");
    const kernel = new NetnsKernel();
    if (!kernel.has("bridge")) faults.push("kernel: has no bridge links; load the module bridge (CONFIG_BRIDGE)");
    try {
      attachments(call.conf).probe();
    } catch (failure) {
      faults.push(`dataDir: nothing can be recorded: ${(failure as Error).message}`);
    }
    if (faults.length > 0) throw new CniError(code.unavailable, faults.join("; "));
  },
};

function attachments(conf: Partial<Netconf>): Attachments<NetnsKernel> {
  return attachmentsIn(conf.dataDir ?? "/run/bridge-binding");
}

function target({ containerId, ifname, network, netns }: Attachment<Netconf>): {
  containerId: string;
  ifname: string;
  network: string;
  netns: string;
} {
  return { containerId, ifname, network, netns: netns.path };
}

/** Everything that the plan is made from. */
function look(kernel: NetnsKernel, call: Attachment<Netconf>): Situation {
  const { conf, containerId } = call;
  const state = kernel.observe({ links: true, sysctls });
  const request = {
    conf,
    ifname: call.ifname,
    chained: call.prevResult !== undefined,
    logicNetworkName: logicNetworkName(call.object),
    present: state.links.map(({ name }) => name),
  };
  const podLink = choosePodLink(request, sha256);
  const names = linkNames(podLink, podLink === conf.primaryInterface, sha256);
  const guestMac = requestedMac(call, conf.mac);
  return {
    conf,
    names,
    state,
    bridgeMac: macOf(`${containerId}/${names.bridge}`),
    tapMac: macOf(`${containerId}/${names.tap}`),
    ...(guestMac !== undefined && { guestMac }),
    placeholder: kernel.has("dummy") ? "dummy" : "bridge",
  };
}

/** A unicast MAC address of the locally administered kind that is the text's alone. */
function macOf(text: string): string {
  return `02:${sha256(text).slice(0, 10).match(/../g)!.join(":")}`;
}
