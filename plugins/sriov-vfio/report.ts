// What ADD reports to the runtime.
import type { Interface, Result } from "../../lib/cni/results.ts";

/**
 * Returns the result, with the VF as the pod's link although the pod has no link: Multus and
 * KubeVirt find the network by the one entry with a sandbox and CNI_IFNAME.
 *
 * The guest configures the IPAM plugin's addresses. In a chain, the entries of prevResult keep
 * their positions.
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
