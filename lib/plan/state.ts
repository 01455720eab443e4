// The state that a plan reads and changes: the links of one network namespace with their addresses,
// routes and neighbours, and sysctls.
import type { AddressMessage } from "../netlink/route/address.ts";
import type { NeighborMessage } from "../netlink/route/neighbor.ts";
import type { RouteMessage } from "../netlink/route/route.ts";

/** The part of a namespace's state that a plan uses. */
export interface State {
  readonly links: readonly ObservedLink[];
  /**
   * By name, such as `net.ipv4.conf.all.arp_ignore`. A sysctl that the kernel does not have is
   * absent.
   */
  readonly sysctls: Readonly<Record<string, string>>;
}

/** A link as the kernel shows it. A field that is absent was not observed. */
export interface ObservedLink extends LinkSettings {
  /** The kernel's number of the link. */
  readonly index: number;
  /**
   * `bridge`, `dummy`, `tap`, `veth`, `macvlan`, .... Empty for a device without a kind, such as a
   * physical NIC.
   */
  readonly kind: string;
  /** The link group (IFLA_GROUP), which marks the links that a plan creates. 0 for other links. */
  readonly mark: number;
  /** The links on top of it that receive all its frames, such as macvlans. */
  readonly uppers?: readonly string[];
  /** The links on top of it that receive a part of its frames, such as VLANs. */
  readonly standing?: readonly string[];
  /** The IDs of the nexthop objects that lead out of it. */
  readonly nexthops?: readonly number[];
  /** Its alternative names (`ip link property`). */
  readonly otherNames?: readonly string[];
  /** The PCI address of its device. */
  readonly parent?: string;
  readonly bridge?: BridgeSettings;
  readonly tap?: ObservedTap;
}

/** A link that a plan creates. */
export type NewLink = NewBridge | NewTap | NewDummy;

interface MarkedLink extends LinkSettings {
  /** See `markOf` in mark.ts. */
  readonly mark: number;
  /**
   * Sysctls of the link itself, which it would inherit otherwise, by their names. They end with the
   * link.
   */
  readonly sysctls?: Readonly<Record<string, string>>;
}

export interface NewBridge extends MarkedLink {
  readonly kind: "bridge";
  /** Absent: the kernel's defaults. */
  readonly bridge?: BridgeSettings;
}

export interface NewTap extends MarkedLink {
  readonly kind: "tap";
  readonly tap: TapSettings;
}

export interface NewDummy extends MarkedLink {
  readonly kind: "dummy";
}

/** What a plan may change about a link, and what the kernel changes with it. */
export interface LinkSettings {
  readonly name: string;
  /** Lower-case, such as `02:00:00:00:00:01`. */
  readonly mac?: string;
  readonly mtu: number;
  /** Administratively up. */
  readonly up: boolean;
  /** The name of the bridge that the link is a port of. */
  readonly master?: string;
  /**
   * False: the kernel adds no link-local address and ignores router advertisements on this link.
   * Absent on a kernel without IPv6.
   */
  readonly ipv6?: boolean;
  /**
   * The sysctl `net.ipv6.conf.LINK.mtu` in bytes, if it differs from the link's MTU. The kernel
   * resets it when the link goes up.
   */
  readonly ipv6Mtu?: number;
  readonly port?: PortSettings;
  readonly addresses: readonly Address[];
  readonly routes: readonly KernelRoute[];
  readonly neighbors: readonly Neighbor[];
}

/** As the `bridge` rows of `ip -d link`. */
export interface BridgeSettings {
  readonly vlanFiltering: boolean;
}

/** As `bridge -d link` and `bridge vlan`. */
export interface PortSettings {
  readonly learning: boolean;
  readonly isolated: boolean;
  /** In ascending order. Empty if the bridge does not filter. */
  readonly vlans: readonly PortVlan[];
  /** MAC addresses that are always forwarded to this port. */
  readonly stations: readonly string[];
}

/**
 * The port accepts VLANs `first` to `last`: tagged unless `untagged`. Frames without a tag belong
 * to the `pvid` VLAN.
 */
export interface PortVlan {
  readonly first: number;
  readonly last: number;
  readonly pvid: boolean;
  readonly untagged: boolean;
}

export interface TapSettings {
  /** User and group ID that may open the tap without CAP_NET_ADMIN. */
  readonly owner: number;
  readonly group: number;
  readonly multiQueue: boolean;
  /** Set when the tap is created; the kernel does not show it afterwards. */
  readonly selinuxContext?: string;
}

/** A tap as the kernel shows it. Without an owner or a group, every user or group may open it. */
export interface ObservedTap {
  readonly owner?: number;
  readonly group?: number;
  readonly multiQueue: boolean;
}

/**
 * An address as rtnetlink reports it, without what the kernel decides (index, tentative flag, time
 * stamps), so that it can be restored. `ip address` equivalent.
 */
export interface Address {
  readonly message: Omit<AddressMessage, "index">;
  /** False if the kernel's route to the address' network was removed, as the `ptp` plugin does. */
  readonly prefixRoute: boolean;
  /** The kernel found that another host has the address (duplicate address detection). */
  readonly duplicate?: boolean;
}

/** A route as rtnetlink reports it, with all attributes. `ip route` equivalent. */
export type KernelRoute = RouteMessage;

/** A permanent neighbour entry. `ip neighbor` equivalent. */
export type Neighbor = Omit<NeighborMessage, "index">;
