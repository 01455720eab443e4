// Starts a guest in a pod as virt-launcher does: it reads the NIC's settings from the pod's links.
import { links } from "../../../harness/ip.ts";
import type { Namespace } from "../../../harness/namespaces.ts";
import type { Scope } from "../../../harness/scope.ts";
import { startVirtualMachine, type VirtualMachine } from "../guest.ts";

export interface LaunchOptions {
  /** The pod's network namespace. */
  readonly namespace: Namespace;
  /** The link with the guest's MAC address and MTU (KubeVirt, domainspec/generators.go). */
  readonly podLink: string;
  readonly tap: string;
  readonly queues?: number;
}

/** Starts a guest on an existing tap. */
export async function launch(
  scope: Scope,
  { namespace, podLink, tap, queues = 1 }: LaunchOptions,
): Promise<VirtualMachine> {
  const link = (await links(namespace)).get(podLink);
  if (!link) throw new Error(`${podLink}: is not in the pod, where virt-launcher looks for the guest's MAC address`);
  return await startVirtualMachine(scope, { namespace, tap, mac: link.address, mtu: link.mtu, queues });
}
