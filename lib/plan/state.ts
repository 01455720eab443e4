// What a plan changes: the links of one network namespace with what hangs on them, and sysctls.
import type { AddressMessage } from "../netlink/route/address.ts";
import type { NeighborMessage } from "../netlink/route/neighbor.ts";
import type { RouteMessage } from "../netlink/route/route.ts";

/** The part of a namespace's state that a plan touches. */
export interface State {
  readonly links: readonly ObservedLink[];
  /** By name, such as `net.ipv4.conf.all.arp_ignore`; a sysctl that the kernel lacks is absent. */
  readonly sysctls: Readonly<Record<string, string>>;
}

/** A link as the kernel shows it. A field that is absent was not observed. */
export interface ObservedLink extends LinkSettings {
  /** The kernel's number for it. */
  readonly index: number;
  /**
   * `bridge`, `dummy`, `tap`, `veth`, `macvlan`, ...; empty for a device that has no kind, such as
   * a physical NIC.
   */
  readonly kind: string;
  /** The link group (IFLA_GROUP), which marks the links that a plan creates. 0 for other links. */
  readonly mark: number;
  /** The links that stand on it and take all its frames, such as macvlans. */
  readonly uppers?: readonly string[];
  readonly bridge?: BridgeSettings;
  readonly tap?: ObservedTap;
}

/** A link that a plan creates. */
export type NewLink = NewBridge | NewTap | NewDummy;

interface MarkedLink extends LinkSettings {
  /** See `markOf` in mark.ts. */
  readonly mark: number;
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

/** What a plan may change about a link, with what the change takes along. */
export interface LinkSettings {
  readonly name: string;
  /** Lower-case, such as `02:00:00:00:00:01`. */
  readonly mac?: string;
  readonly mtu: number;
  /** Administratively up. */
  readonly up: boolean;
  /** The name of the bridge it is a port of. */
  readonly master?: string;
  /**
   * False: the kernel neither takes a link-local address nor listens to router advertisements here.
   * Absent on a kernel without IPv6.
   */
  readonly ipv6?: boolean;
  /**
   * The sysctl `net.ipv6.conf.LINK.mtu` in bytes, where it is not the link's MTU. The kernel sets
   * it anew when the link goes up.
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
  /** In ascending order; empty where the bridge does not filter. */
  readonly vlans: readonly PortVlan[];
  /** MAC addresses that are always forwarded to this port. */
  readonly stations: readonly string[];
}

/**
 * VLANs `first` to `last` are let through, tagged unless `untagged`; frames without a tag come in
 * on the `pvid` one.
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
 * An address as rtnetlink describes it, without what the kernel decides (its index, the tentative
 * flag, time stamps), so that it can be given back as it was.
 * `ip address` equivalent.
 */
export interface Address {
  readonly message: Omit<AddressMessage, "index">;
  /**
   * False where the kernel's own route to the address' network was taken away, as the `ptp` plugin
   * does.
   */
  readonly prefixRoute: boolean;
}

/** A route as rtnetlink describes it, every attribute kept. `ip route` equivalent. */
export type KernelRoute = RouteMessage;

/** A permanent neighbour entry. `ip neighbor` equivalent. */
export type Neighbor = Omit<NeighborMessage, "index">;
