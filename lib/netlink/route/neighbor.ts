// Neighbours, and the forwarding database of bridges: <linux/neighbour.h>. `ip neighbor`, `bridge
// fdb`.
import { attrs, dropped } from "../attributes.ts";
import { families, type Message, message } from "../message.ts";
import { be16, ipAddress, macAddress, s32, struct, u8, u16, u32 } from "../scalars.ts";
import type { ValueOf } from "../wire.ts";

/** struct ndmsg. */
const header = struct({
  family: u8,
  index: s32,
  /** NUD_*, see `neighborStates`. */
  state: u16,
  /** NTF_*, see `neighborFlags`. */
  flags: u8,
  /** RTN_*: 1 unicast, 5 multicast. */
  type: u8,
});

/** NDA_*. */
const attributes = attrs({
  destination: [1, ipAddress],
  mac: [2, macAddress],
  cacheinfo: [3, dropped],
  probes: [4, dropped],
  vlan: [5, u16],
  port: [6, be16],
  vni: [7, u32],
  /** Only for a remote forwarding entry: the link that leads to `destination`. */
  ifindex: [8, u32],
  /** The index of the bridge. */
  master: [9, u32],
  /** RTPROT_* of the process that created it. */
  protocol: [12, u8],
  extendedFlags: [15, u32],
});

/** NUD_*. */
export const neighborStates = {
  incomplete: 0x1,
  reachable: 0x2,
  stale: 0x4,
  delay: 0x8,
  probe: 0x10,
  failed: 0x20,
  noArp: 0x40,
  permanent: 0x80,
} as const;

/**
 * NTF_*. In a bridge's forwarding database, `master` is an entry of the bridge, `self` one of the
 * device.
 */
export const neighborFlags = {
  use: 0x1,
  self: 0x2,
  master: 0x4,
  proxy: 0x8,
  externallyLearned: 0x10,
  offloaded: 0x20,
  sticky: 0x40,
  router: 0x80,
} as const;

export type NeighborMessage = ValueOf<typeof header> & ValueOf<typeof attributes>;

/** RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH. */
const types = { new: 28, delete: 29, get: 30, set: 28 };

export const neighbor: Message<NeighborMessage> = message("neighbors", types, { header, attributes });

/** An entry of a bridge's forwarding database: a neighbour of family AF_BRIDGE. `bridge fdb`. */
export const forwarding: Message<NeighborMessage> = message("forwarding entries", types, {
  header,
  attributes,
  preset: { family: families.bridge },
});
