// Chooses the VLANs that the in-pod bridge forwards: the guest's untagged one and its tagged ones.
import type { PortVlan } from "../../lib/plan/state.ts";

/** The VLAN fields of the conf. */
export interface VlanSettings {
  /** The VLAN that the guest receives untagged, 1-4094. */
  readonly vlan?: number;
  /** The VLANs that the guest receives tagged. */
  readonly vlanTrunk?: readonly ({ readonly id: number } | { readonly minID: number; readonly maxID: number })[];
}

/**
 * The VLANs of the tap, and of the pod's link on the other side of the bridge. If both are empty,
 * the bridge does not filter.
 */
export interface Vlans {
  readonly guest: readonly PortVlan[];
  readonly upstream: readonly PortVlan[];
}

/**
 * Returns the VLANs of both ports. `vlan` is untagged at the guest and tagged at the network. Those
 * of `vlanTrunk` are tagged at both. The bridge drops all others.
 */
export function vlansOf({ vlan, vlanTrunk }: VlanSettings): Vlans {
  const trunk = merged(
    (vlanTrunk ?? []).map((entry): Range => ("id" in entry ? [entry.id, entry.id] : [entry.minID, entry.maxID])),
  );
  if (vlan === undefined) return { guest: trunk, upstream: trunk };
  const access: PortVlan = { first: vlan, last: vlan, pvid: true, untagged: true };
  return {
    guest: inOrder([access, ...trunk]),
    upstream: merged([[vlan, vlan], ...trunk.map(({ first, last }): Range => [first, last])]),
  };
}

/** Whether the conf asks for a VLAN both tagged and untagged. */
export function isAmbiguous({ vlan, ...rest }: VlanSettings): boolean {
  return vlan !== undefined && vlansOf(rest).guest.some(({ first, last }) => first <= vlan && vlan <= last);
}

type Range = readonly [first: number, last: number];

/**
 * Returns tagged VLANs in ascending order. Ranges that overlap or touch are merged, as the kernel
 * shows them.
 */
function merged(ranges: readonly Range[]): PortVlan[] {
  const result: { first: number; last: number; pvid: false; untagged: false }[] = [];
  for (const [first, last] of [...ranges].sort((one, other) => one[0] - other[0])) {
    const previous = result.at(-1);
    if (previous !== undefined && first <= previous.last + 1) previous.last = Math.max(previous.last, last);
    else result.push({ first, last, pvid: false, untagged: false });
  }
  return result;
}

function inOrder(vlans: readonly PortVlan[]): PortVlan[] {
  return [...vlans].sort((one, other) => one.first - other.first);
}
