// Which of a pod's links the VM's NIC is to hang on.
import { podLinkName, type Sha256 } from "../../lib/kubevirt/names.ts";
import type { Conf } from "./netconf.ts";

/** What tells which link is meant. */
export interface PodLinkQuery {
  readonly conf: Pick<Conf, "interface" | "primaryInterface">;
  /** CNI_IFNAME. */
  readonly ifname: string;
  /** Whether other plugins of the same list ran before. */
  readonly chained: boolean;
  /** The network's name in the VM's specification, as KubeVirt passes it on. */
  readonly logicNetworkName: string | undefined;
  /** The names of the links that are there. */
  readonly present: readonly string[];
}

/**
 * The pod link's name: the one that the configuration names; in a chain CNI_IFNAME, which the
 * plugins before made; else the link of the VM's network, if it is there, or the primary link.
 * As a binding CNI_IFNAME is `netN` and stands for nothing: Multus counts with it, and KubeVirt
 * must never see a link of that name.
 */
export function choosePodLink(request: PodLinkQuery, sha256: Sha256): string {
  const { conf, ifname, chained, logicNetworkName, present } = request;
  if (conf.interface !== undefined) return conf.interface;
  if (chained) return ifname;
  const secondary = logicNetworkName === undefined ? undefined : podLinkName(logicNetworkName, sha256);
  return secondary !== undefined && present.includes(secondary) ? secondary : conf.primaryInterface;
}
