// What ADD tells the runtime.
import type { Interface, Result } from "../../lib/cni/results.ts";

/**
 * The VF as the pod's link, though the pod has none: the one entry with a sandbox and CNI_IFNAME is
 * how Multus and KubeVirt find the network. The IPAM plugin's addresses are the guest's to
 * configure. In a chain what was there before stays in its place.
 */
export function report(vf: Interface, assigned: Result = {}, prevResult: Result = {}): Result {
  const before = prevResult.interfaces ?? [];
  const ips = [...(prevResult.ips ?? []), ...(assigned.ips ?? []).map((ip) => ({ ...ip, interface: before.length }))];
  const routes = [...(prevResult.routes ?? []), ...(assigned.routes ?? [])];
  return {
    ...prevResult,
    ...assigned,
    interfaces: [...before, vf],
    ...(ips.length > 0 && { ips }),
    ...(routes.length > 0 && { routes }),
  };
}
