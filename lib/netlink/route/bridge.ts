// Bridges, their ports and the VLANs of ports: <linux/if_link.h> and <linux/if_bridge.h>. `bridge
// link`, `bridge vlan`.
import { excerpt, nothing } from "../attributes.ts";
import { families, type Message, message } from "../message.ts";
import { be16, bool, string, struct, u8, u16, u32 } from "../scalars.ts";
import type { Codec, ValueOf } from "../wire.ts";
import { linkHeader } from "./link-header.ts";

/** IFLA_BR_*: the bridge. */
export const bridgeSettings = excerpt({
  /** In 1/100 s. */
  forwardDelay: [1, u32],
  /** 0 off, 1 by the kernel, 2 by a daemon. */
  stp: [5, u32],
  vlanFiltering: [7, bool],
  vlanProtocol: [8, be16],
  groupForwardMask: [9, u16],
  multicastSnooping: [23, bool],
  /** The VLAN that new ports are untagged members of; 0 for none. */
  defaultPvid: [39, u16],
});

/** IFLA_BRPORT_*: a port of a bridge. */
export const bridgePortSettings = excerpt({
  /** BR_STATE_*: 0 disabled, 1 listening, 2 learning, 3 forwarding, 4 blocking. */
  state: [1, u8],
  hairpin: [4, bool],
  learning: [8, bool],
  unicastFlood: [9, bool],
  multicastFlood: [27, bool],
  broadcastFlood: [30, bool],
  neighborSuppression: [32, bool],
  isolated: [33, bool],
  locked: [39, bool],
});

/**
 * The port accepts VLANs `first` to `last`: tagged unless `untagged`. Frames without a tag belong
 * to the `pvid` VLAN.
 */
export interface VlanRange {
  readonly first: number;
  readonly last: number;
  readonly pvid: boolean;
  readonly untagged: boolean;
}

/** struct bridge_vlan_info. */
const vlanInfo = struct({ flags: u16, vid: u16 });

/** BRIDGE_VLAN_INFO_*. */
const vlanFlags = { pvid: 0x2, untagged: 0x4, rangeBegin: 0x8, rangeEnd: 0x10 } as const;

/** IFLA_BRIDGE_VLAN_INFO appears once for each VLAN, and twice for each range of VLANs. */
const vlanRanges: Codec<readonly VlanRange[]> = {
  element: vlanInfo,
  elements: (ranges) =>
    ranges.flatMap(({ first, last, pvid, untagged }) => {
      const flags = (pvid ? vlanFlags.pvid : 0) | (untagged ? vlanFlags.untagged : 0);
      if (first === last) return [{ flags, vid: first }];
      return [
        { flags: flags | vlanFlags.rangeBegin, vid: first },
        { flags: flags | vlanFlags.rangeEnd, vid: last },
      ];
    }),
  decode(from, start, end, previous = []) {
    const { flags, vid } = vlanInfo.decode(from, start, end);
    const ranges = previous as VlanRange[];
    const begun = (flags & vlanFlags.rangeEnd) !== 0 ? ranges.pop() : undefined;
    ranges.push({
      first: begun?.first ?? vid,
      last: vid,
      pvid: (flags & vlanFlags.pvid) !== 0,
      untagged: (flags & vlanFlags.untagged) !== 0,
    });
    return ranges;
  },
  encode: nothing,
};

/** IFLA_* in messages of the family AF_BRIDGE. */
const attributes = excerpt({
  name: [3, string],
  mtu: [4, u32],
  master: [10, u32],
  settings: [12, bridgePortSettings],
  afSpec: [
    26,
    excerpt({
      /**
       * BRIDGE_FLAGS_*: 1 the link as a port of its master (also the meaning of no flag), 2 the
       * bridge itself.
       */
      target: [0, u16],
      vlans: [2, vlanRanges],
    }),
  ],
  /** In a request: what else the answer should contain, see `linkExtras`. */
  extMask: [29, u32],
});

export type BridgePortMessage = ValueOf<typeof linkHeader> & ValueOf<typeof attributes>;

/**
 * A link as its bridge reports it: RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK and RTM_SETLINK of family
 * AF_BRIDGE.
 *
 * `set` with VLANs adds them (`bridge vlan add`), `delete` removes them (`bridge vlan del`). `dump`
 * returns them if `extMask` asks for them.
 */
export const bridgePort: Message<BridgePortMessage> = message(
  "bridge ports",
  { new: 16, delete: 17, get: 18, set: 19 },
  { header: linkHeader, attributes, preset: { family: families.bridge } },
);
