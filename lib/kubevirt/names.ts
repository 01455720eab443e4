// The names of a pod's links in KubeVirt's scheme: the link of each network, its bridge, its NIC
// and its tap.

/** The names of one binding's links, each at most 15 bytes. */
export interface LinkNames {
  /** The link that the pod's network created. After ADD a placeholder has this name. */
  readonly podLink: string;
  readonly bridge: string;
  /** The pod's link once it is a port of the bridge. */
  readonly nic: string;
  readonly tap: string;
}

/** SHA-256 as 64 lower-case hex digits. */
export type Sha256 = (text: string) => string;

/**
 * Returns the name of the pod link of a VM's secondary network: `podLinkName("blue", sha256)` =
 * `pod16477688c0e` (KubeVirt, namescheme/networknamescheme.go).
 */
export function podLinkName(network: string, sha256: Sha256): string {
  return `pod${digits(network, sha256)}`;
}

/**
 * Names the bridge, NIC and tap that belong to a pod link, as KubeVirt's launcher expects them
 * (namescheme/networknamescheme.go, link/names.go).
 *
 * | pod link | bridge | nic | tap |
 * |---|---|---|---|
 * | the primary one, such as `eth0` | `k6t-eth0` | `eth0-nic` | `tap0` |
 * | `pod16477688c0e` | `k6t-16477688c0e` | `16477688c0e-nic` | `tap16477688c0e` |
 * | `net1`, of VMs from before KubeVirt 1.0 | `k6t-net1` | `net1-nic` | `tap1` |
 *
 * For any other link, the tap's name is `tap` and the hash of the link's name. The bridge and the
 * NIC are named by the link's name, or by its hash if these names do not fit in 15 bytes or if the
 * link's name is not printable ASCII. The primary link's tap is always `tap0`.
 */
export function linkNames(podLink: string, primary: boolean, sha256: Sha256): LinkNames {
  const secondary = /^pod([0-9a-f]{11})$/.exec(podLink);
  if (secondary !== null) return derived(podLink, secondary[1]!, `tap${secondary[1]!}`);
  const ordinal = /^net(\d{1,4})$/.exec(podLink);
  if (ordinal !== null && !primary) return derived(podLink, podLink, `tap${ordinal[1]!}`);
  const hashed = digits(podLink, sha256);
  // `<link>-nic` and `k6t-<link>` are both four bytes longer than the link's name. A name in ASCII
  // has as many bytes as characters.
  const fits = podLink.length <= 11 && /^[\x21-\x7e]*$/.test(podLink);
  return derived(podLink, fits ? podLink : hashed, primary ? "tap0" : `tap${hashed}`);
}

function derived(podLink: string, stem: string, tap: string): LinkNames {
  return { podLink, bridge: `k6t-${stem}`, nic: `${stem}-nic`, tap };
}

/** The first eleven hex digits of a name's hash. */
function digits(name: string, sha256: Sha256): string {
  return sha256(name).slice(0, 11);
}
