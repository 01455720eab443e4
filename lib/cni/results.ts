// Results in the shape of the newest version, which all code uses. conversion.ts knows the others.

/**
 * The result of ADD in version 1.1.0 (SPEC.md, section 5, "ADD Success"). `cniVersion` is added
 * when it is printed.
 */
export interface Result {
  /**
   * Absent if nothing is reported: Multus treats a result with an empty list as one that has
   * interfaces.
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
  /** CNI_NETNS verbatim. Absent for a link of the node. */
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
  /** The position of its link in `interfaces`. */
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

/** The configuration of the container's resolver. */
export interface Dns {
  readonly nameservers?: readonly string[];
  readonly domain?: string;
  readonly search?: readonly string[];
  readonly options?: readonly string[];
}
