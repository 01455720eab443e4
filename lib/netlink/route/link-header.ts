// The header of messages about links, the same for `ip link` and for `bridge link`: struct
// ifinfomsg of <linux/rtnetlink.h>.
import { s32, struct, u8, u16, u32 } from "../scalars.ts";

export const linkHeader = struct({
  family: u8,
  /** ARPHRD_*: 1 is Ethernet, 772 the loopback. */
  type: u16,
  index: s32,
  /** IFF_*, see `linkFlags`. */
  flags: u32,
  /** The flags that the request changes to their value in `flags`. */
  change: u32,
});

/**
 * IFF_UP, IFF_BROADCAST, IFF_LOOPBACK, IFF_POINTOPOINT, IFF_RUNNING, IFF_NOARP, IFF_PROMISC and
 * IFF_MULTICAST of <linux/if.h>.
 */
export const linkFlags = {
  up: 0x1,
  broadcast: 0x2,
  loopback: 0x8,
  pointToPoint: 0x10,
  running: 0x40,
  noArp: 0x80,
  promiscuous: 0x100,
  multicast: 0x1000,
} as const;

/**
 * RTEXT_FILTER_VF, RTEXT_FILTER_BRVLAN, RTEXT_FILTER_BRVLAN_COMPRESSED and RTEXT_FILTER_SKIP_STATS:
 * the values of `extMask`.
 */
export const linkExtras = { vfs: 1, vlans: 2, vlanRanges: 4, skipStatistics: 8 } as const;
