// The VLANs that the in-pod bridge lets through: what the guest sees without a tag, and what it
// sees with one.
import type { PortVlan } from "../../lib/plan/state.ts";

/** What the configuration says of VLANs. */
export interface VlanSettings {
  /** The VLAN that the guest has untagged, 1-4094. */
  readonly vlan?: number;
  /** Those that it has tagged. */
  readonly vlanTrunk?: readonly ({ readonly id: number } | { readonly minID: number; readonly maxID: number })[];
}

/**
 * The VLANs of the tap, and of the pod's link on the other side of the bridge. Both empty: the
 * bridge does not filter.
 */
export interface Vlans {
  readonly guest: readonly PortVlan[];
  readonly upstream: readonly PortVlan[];
}

/**
 * `vlan` reaches the guest untagged and the network tagged; those of `vlanTrunk` are tagged on both
 * sides. Everything else is dropped.
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

/** Whether a VLAN is asked for both tagged and untagged. */
export function isAmbiguous({ vlan, ...rest }: VlanSettings): boolean {
  return vlan !== undefined && vlansOf(rest).guest.some(({ first, last }) => first <= vlan && vlan <= last);
}

type Range = readonly [first: number, last: number];

/**
 * Tagged VLANs in ascending order, ranges that overlap or touch made one: the kernel shows them
 * like this.
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
