// Starts a guest in a pod as virt-launcher does: all that it is told of the NIC, it reads off the
// pod's links.
import { links } from "../../../harness/ip.ts";
import type { Namespace } from "../../../harness/namespaces.ts";
import type { Scope } from "../../../harness/scope.ts";
import { startVirtualMachine, type VirtualMachine } from "../guest.ts";

export interface LaunchOptions {
  /** The pod's. */
  readonly namespace: Namespace;
  /**
   * The link that has the MAC address and the MTU that the guest is to have (KubeVirt,
   * domainspec/generators.go).
   */
  readonly podLink: string;
  readonly tap: string;
  readonly queues?: number;
}

/** Starts one on the tap that is there. */
export async function launch(
  scope: Scope,
  { namespace, podLink, tap, queues = 1 }: LaunchOptions,
): Promise<VirtualMachine> {
  const link = (await links(namespace)).get(podLink);
  if (!link) throw new Error(`${podLink}: is not in the pod, where virt-launcher looks for the guest's MAC address`);
  return await startVirtualMachine(scope, { namespace, tap, mac: link.address, mtu: link.mtu, queues });
}
