// Addresses: <linux/if_addr.h>. `ip address`.
import { attrs } from "../attributes.ts";
import { type Message, message } from "../message.ts";
import { ipAddress, lowByte, string, struct, u8, u32 } from "../scalars.ts";
import type { ValueOf } from "../wire.ts";

/** struct ifaddrmsg. */
const header = struct({
  family: u8,
  prefixLength: u8,
  flags: lowByte,
  /** RT_SCOPE_*: 0 universe, 253 link, 254 host. */
  scope: u8,
  index: u32,
});

/** IFA_*. */
const attributes = attrs({
  /**
   * The peer's address on a point-to-point link, otherwise the same as `local`. IPv6 has only this
   * one without a peer.
   */
  address: [1, ipAddress],
  local: [2, ipAddress],
  label: [3, string],
  broadcast: [4, ipAddress],
  anycast: [5, ipAddress],
  /**
   * struct ifa_cacheinfo, in seconds; 0xffffffff means infinite. The time stamps after it are not
   * kept.
   */
  lifetime: [6, struct({ preferred: u32, valid: u32 }, 16)],
  multicast: [7, ipAddress],
  /** IFA_F_*, see `addressFlags`; the header holds the lower 8 bits. */
  flags: [8, u32],
  /** The metric of the route that the kernel adds for the address' network. */
  routePriority: [9, u32],
  /** IFAPROT_*. */
  protocol: [11, u8],
});

/** IFA_F_*. */
export const addressFlags = {
  /** IPv4: not the first address of its network. IPv6: temporary. */
  secondary: 0x1,
  noDad: 0x2,
  optimistic: 0x4,
  dadFailed: 0x8,
  homeAddress: 0x10,
  deprecated: 0x20,
  tentative: 0x40,
  permanent: 0x80,
  manageTemporary: 0x100,
  noPrefixRoute: 0x200,
  multicastAutoJoin: 0x400,
  stablePrivacy: 0x800,
} as const;

export type AddressMessage = ValueOf<typeof header> & ValueOf<typeof attributes>;

/** RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR. */
export const address: Message<AddressMessage> = message(
  "addresses",
  { new: 20, delete: 21, get: 22, set: 20 },
  { header, attributes },
);
