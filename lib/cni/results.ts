// Results: their shape in the newest version, which is the one used inside, and what the others
// make of it.

/**
 * What ADD gives: the shape of version 1.1.0 (SPEC.md, section 5, "ADD Success"). `cniVersion` is
 * added when it is printed.
 */
export interface Result {
  /**
   * Left out where nothing is reported: an empty list makes Multus treat the result as having some.
   */
  readonly interfaces?: readonly Interface[];
  readonly ips?: readonly IpConfig[];
  readonly routes?: readonly CniRoute[];
  readonly dns?: Dns;
}

/** One link. */
export interface Interface {
  readonly name: string;
  readonly mac?: string;
  readonly mtu?: number;
  /** CNI_NETNS verbatim; left out for a link of the host. */
  readonly sandbox?: string;
  readonly socketPath?: string;
  /** A PCI address such as 0000:3b:02.6. */
  readonly pciID?: string;
}

/** One address. */
export interface IpConfig {
  /** With its prefix length, such as 10.244.0.7/24. */
  readonly address: string;
  readonly gateway?: string;
  /** The position in `interfaces` of the link that has it. */
  readonly interface?: number;
}

/** One route. */
export interface CniRoute {
  /** With its prefix length, such as 0.0.0.0/0. */
  readonly dst: string;
  readonly gw?: string;
  readonly mtu?: number;
  readonly advmss?: number;
  readonly priority?: number;
  readonly table?: number;
  readonly scope?: number;
}

/** What the container's resolver is told. */
export interface Dns {
  readonly nameservers?: readonly string[];
  readonly domain?: string;
  readonly search?: readonly string[];
  readonly options?: readonly string[];
}
