// Links: <linux/if_link.h>. `ip link`.
import { excerpt, repeated } from "../attributes.ts";
import { malformed, unwritable } from "../errors.ts";
import { type Message, message } from "../message.ts";
import { be16, bool, macAddress, s32, string, u8, u16, u32 } from "../scalars.ts";
import type { Codec, ValueOf } from "../wire.ts";
import { bridgePortSettings, bridgeSettings } from "./bridge.ts";
import { linkInfo } from "./info.ts";
import { linkHeader } from "./link-header.ts";

/** IFLA_TUN_*. Read-only: a tap is made by ioctl. */
const tun = excerpt({
  owner: [1, u32],
  group: [2, u32],
  /** 1 is IFF_TUN, 2 IFF_TAP. */
  type: [3, u8],
  packetInformation: [4, bool],
  vnetHeader: [5, bool],
  persist: [6, bool],
  multiQueue: [7, bool],
  queues: [8, u32],
  disabledQueues: [9, u32],
});

/** IFLA_MACVLAN_*. */
const macvlan = excerpt({
  /** MACVLAN_MODE_*: 1 private, 2 vepa, 4 bridge, 8 passthru, 16 source. */
  mode: [1, u32],
  flags: [2, u16],
});

/** IFLA_IPVLAN_*. */
const ipvlan = excerpt({
  /** IPVLAN_MODE_*: 0 l2, 1 l3, 2 l3s. */
  mode: [1, u16],
  flags: [2, u16],
});

/** IFLA_VLAN_*. */
const vlan = excerpt({
  id: [1, u16],
  /** 0x8100 (802.1Q) or 0x88a8 (802.1ad). */
  protocol: [5, be16],
});

/** Kinds that have no settings, or none that this project reads. */
const plain = excerpt({});

const info = linkInfo(
  { bridge: bridgeSettings, tun, macvlan, macvtap: macvlan, ipvlan, vlan, dummy: plain, veth: plain },
  { bridge: bridgePortSettings },
);

/**
 * The part of IFLA_INET6_CONF that this project reads. It is an array of sysctls as numbers:
 * DEVCONF_MTU6 is number 2, DEVCONF_DISABLE_IPV6 number 26 (<linux/ipv6.h>).
 */
const ipv6Conf: Codec<{ readonly mtu: number; readonly disabled: boolean }> = {
  decode(from, start, end) {
    if (end - start < 4 * 27) throw malformed(`${end - start} bytes, expected 108 or more`);
    const first = start >> 2;
    return { mtu: from.words[first + 2]!, disabled: from.words[first + 26] !== 0 };
  },
  encode() {
    throw unwritable("read-only here, expected to be written as a sysctl");
  },
};

/** IFLA_*: those that this project reads or writes. */
const attributes = excerpt({
  /** Lower-case, such as `02:00:00:00:00:01`. */
  mac: [1, macAddress],
  name: [3, string],
  mtu: [4, u32],
  /** The index of the link below. For a veth: of its peer, in the namespace `linkNetns`. */
  link: [5, u32],
  /** The index of the bridge. 0 removes the link from its bridge. */
  master: [10, u32],
  queueLength: [13, u32],
  /** IF_OPER_* of RFC 2863: 0 unknown, 2 down, 3 lower layer down, 5 dormant, 6 up. */
  operstate: [16, u8],
  info: [18, info],
  alias: [20, string],
  /** The number of VFs. Present if `extMask` asks for VFs. */
  vfs: [21, u32],
  afSpec: [
    26,
    excerpt({
      ipv6: [
        10,
        excerpt({
          /** The sysctls `mtu` and `disable_ipv6`. Read-only. */
          conf: [2, ipv6Conf],
          /** IN6_ADDR_GEN_MODE_*: 0 EUI-64, 1 none, 2 stable-privacy, 3 random. */
          addressGeneration: [8, u8],
        }),
      ],
    }),
  ],
  group: [27, u32],
  /** Moves the link into the namespace of this descriptor. */
  netnsFd: [28, s32],
  /** In a request: what else the answer should contain, see `linkExtras`. */
  extMask: [29, u32],
  txQueues: [31, u32],
  rxQueues: [32, u32],
  carrier: [33, bool],
  /** The number of the namespace of `link`, if it is another one. */
  linkNetns: [37, s32],
  minMtu: [50, u32],
  maxMtu: [51, u32],
  otherNames: [52, excerpt({ names: [53, repeated(string)] })],
  permanentMac: [54, macAddress],
  /** The device of the link, such as `0000:3b:02.6` on the bus `pci`. */
  parentDevice: [56, string],
  parentBus: [57, string],
});

export type LinkMessage = ValueOf<typeof linkHeader> & ValueOf<typeof attributes>;

/**
 * RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK. A change of a link is RTM_NEWLINK too, because RTM_SETLINK
 * ignores IFLA_LINKINFO.
 */
export const link: Message<LinkMessage> = message(
  "links",
  { new: 16, delete: 17, get: 18, set: 16 },
  { header: linkHeader, attributes },
);
