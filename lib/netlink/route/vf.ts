// Virtual functions, as the link of their physical function reports and configures them:
// <linux/if_link.h>. `ip link show`, `ip link set vf`.
import { excerpt, repeated } from "../attributes.ts";
import { malformed, unwritable } from "../errors.ts";
import { type Message, message } from "../message.ts";
import { be16, macAddress as macBytes, string, struct, u32 } from "../scalars.ts";
import { type Codec, reserve, type ValueOf } from "../wire.ts";
import { linkHeader } from "./link-header.ts";

/** struct ifla_vf_mac: the VF's index, and 32 bytes that begin with an Ethernet address. */
const vfMac: Codec<{ readonly vf: number; readonly mac: string }> = {
  decode(from, start, end) {
    if (end - start < 10) throw malformed(`${end - start} bytes, expected 36`);
    return { vf: from.words[start >> 2]!, mac: macBytes.decode(from, start + 4, start + 10) };
  },
  encode(to, { vf, mac }) {
    u32.encode(to, vf);
    const start = to.length;
    macBytes.encode(to, mac);
    const used = to.length - start;
    if (used !== 6) throw unwritable(`"${mac}" is not an Ethernet address`);
    reserve(to, 32 - used);
  },
};

/** struct ifla_vf_vlan_info. `protocol` is an Ethertype, 0x8100 or 0x88a8. */
const vlan = struct({ vf: u32, vlan: u32, qos: u32, protocol: be16 }, 16);

/** IFLA_VF_VLAN_LIST: the kernel reports and accepts one entry. */
const vlans = excerpt({ vlan: [1, vlan] });

/**
 * IFLA_VF_*: the kernel's report of one VF, with the VF's index in each attribute. Statistics are
 * not read.
 */
const vfInfo = excerpt({
  mac: [1, vfMac],
  spoofCheck: [4, struct({ vf: u32, setting: u32 })],
  /** IFLA_VF_LINK_STATE_*: 0 auto, 1 enable, 2 disable. */
  linkState: [5, struct({ vf: u32, setting: u32 })],
  /** In Mbit/s; 0 is no limit. */
  rate: [6, struct({ vf: u32, least: u32, most: u32 })],
  trust: [9, struct({ vf: u32, setting: u32 })],
  vlans: [12, vlans],
});

/**
 * The kernel's report of one VF. A setting that the VF's driver does not support is absent, or has
 * a value that the kernel chose.
 */
export type VfInfo = ValueOf<typeof vfInfo>;

const attributes = excerpt({
  mtu: [4, u32],
  name: [3, string],
  /** The number of VFs. */
  vfs: [21, u32],
  /** IFLA_VFINFO_LIST, if `extMask` asks for it. In a request: one VF with one setting. */
  vfList: [22, excerpt({ list: [1, repeated(vfInfo)] })],
  /** See `linkExtras`. */
  extMask: [29, u32],
});

/**
 * The link of a physical function. Read it by `get`: a dump omits a link whose VFs do not fit its
 * message.
 */
export type VfLinkMessage = ValueOf<typeof linkHeader> & ValueOf<typeof attributes>;

/**
 * RTM_NEWLINK and RTM_GETLINK, with the VFs. RTM_SETLINK configures them (do_setvfinfo of
 * net/core/rtnetlink.c).
 */
export const vfLink: Message<VfLinkMessage> = message(
  "links",
  { new: 16, delete: 17, get: 18, set: 19 },
  { header: linkHeader, attributes },
);
