// Does KubeVirt's part of the network setup in a pod.
import { ip } from "../../../harness/ip.ts";
import type { Namespace } from "../../../harness/namespaces.ts";
import type { Network } from "../../../harness/pod.ts";
import { missing } from "./features.ts";

/**
 * Attaches NIC and tap to the bridge k6t-eth0, which must exist.
 *
 * virt-handler does this with managedTap (KubeVirt, setup/netpod).
 */
export async function asKubevirtDoes(
  namespace: Namespace,
  { mac, addresses }: Pick<Network, "mac" | "addresses">,
): Promise<void> {
  await ip(
    namespace,
    "link set eth0 down",
    "link set eth0 name eth0-nic",
    "link set eth0-nic address 02:00:00:00:66:01 master k6t-eth0",
    "address flush dev eth0-nic",
    "link set eth0-nic up",
    "link set eth0-nic type bridge_slave learning off",
    "tuntap add tap0 mode tap user 107 group 107",
    "link set tap0 master k6t-eth0 up",
    `link add eth0 address ${mac} type ${missing("dummy") ? "bridge" : "dummy"}`,
    ...addresses.map((address) => `address add ${address} dev eth0`),
  );
}
