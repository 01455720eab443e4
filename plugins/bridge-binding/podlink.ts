// Chooses the pod link that the VM's NIC is attached to.
import { podLinkName, type Sha256 } from "../../lib/kubevirt/names.ts";
import type { Conf } from "./netconf.ts";

/** The facts that decide. */
export interface PodLinkQuery {
  readonly conf: Pick<Conf, "interface" | "primaryInterface">;
  /** CNI_IFNAME. */
  readonly ifname: string;
  /** Whether other plugins of the same list ran before this one. */
  readonly chained: boolean;
  /** The network's name in the VM's specification, as KubeVirt passes it on. */
  readonly logicNetworkName: string | undefined;
  /** The names of the existing links. */
  readonly present: readonly string[];
}

/**
 * Returns the name of the pod link, the first of these:
 *
 * - the link that the netconf names;
 * - in a chain, CNI_IFNAME, which the plugins before this one created;
 * - the link of the VM's network, if it exists;
 * - the primary link.
 *
 * For a binding CNI_IFNAME is `netN` and names no link: Multus counts with it, and KubeVirt must
 * never see a link of that name.
 */
export function choosePodLink(request: PodLinkQuery, sha256: Sha256): string {
  const { conf, ifname, chained, logicNetworkName, present } = request;
  if (conf.interface !== undefined) return conf.interface;
  if (chained) return ifname;
  const secondary = logicNetworkName === undefined ? undefined : podLinkName(logicNetworkName, sha256);
  return secondary !== undefined && present.includes(secondary) ? secondary : conf.primaryInterface;
}
