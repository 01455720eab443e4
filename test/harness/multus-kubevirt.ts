// KubeVirt's side of Multus, as its own Go has it (pkg/network, v1.9): what it writes for Multus
// into a pod, and what it makes of what Multus wrote there.
import { createHash } from "node:crypto";

/**
 * The annotation by which a pod asks for networks, and the one by which it is told what became of
 * them.
 */
export const networksAnnotation = "k8s.v1.cni.cncf.io/networks";
export const networkStatusAnnotation = "k8s.v1.cni.cncf.io/network-status";

/** A network of a VM, with its interface. */
export interface VmNetwork {
  readonly name: string;
  /** `multus.networkName`, such as `default/vlan-100`; without it, the pod's own network. */
  readonly nad?: string;
  readonly mac?: string;
  /**
   * The binding's NetworkAttachmentDefinition, where it has one, such as `default/bridge-binding`.
   */
  readonly binding?: string;
  /** Whether the interface has `sriov: {}`. */
  readonly sriov?: boolean;
}

/**
 * An entry of {@link networkStatusAnnotation} (NetworkStatus of the network plumbing group's
 * types.go).
 */
export interface NetworkStatus {
  readonly name: string;
  readonly interface?: string;
  readonly ips?: readonly string[];
  readonly mac?: string;
  readonly mtu?: number;
  readonly default?: boolean;
  readonly dns?: object;
  readonly gateway?: readonly string[];
  readonly "device-info"?: {
    readonly type?: string;
    readonly version?: string;
    readonly pci?: Readonly<Record<string, string>>;
  };
}

/**
 * What {@link networksAnnotation} is for these networks (multus/annotation.go,
 * GenerateCNIAnnotation): each network, and its binding right behind it.
 */
export function networksFor(networks: readonly VmNetwork[]): string {
  const reference = (nad: string): object => {
    const [namespace, name] = nad.split("/");
    return { name, namespace };
  };
  return JSON.stringify(
    networks.flatMap(({ name, nad, mac, binding }) => [
      ...(nad === undefined ? [] : [{ ...reference(nad), interface: hashedName(name), ...(mac && { mac }) }]),
      ...(binding === undefined ? [] : [{ ...reference(binding), "cni-args": { logicNetworkName: name } }]),
    ]),
  );
}

/**
 * The pod link of a secondary network (namescheme/networknamescheme.go,
 * GenerateHashedInterfaceName).
 */
export function hashedName(network: string): string {
  return `pod${createHash("sha256").update(network).digest("hex").slice(0, 11)}`;
}

/**
 * Which pod link KubeVirt takes for which network's: by number, if any status has such a name, else
 * by hash (CreateFromNetworkStatuses).
 */
export function podLinks(networks: readonly VmNetwork[], statuses: readonly NetworkStatus[]): Map<string, string> {
  const ordinal = statuses.some((status) => /^net\d+$/.test(status.interface ?? ""));
  const secondary = networks.filter(({ nad }) => nad !== undefined);
  return new Map([
    ...networks.filter(({ nad }) => nad === undefined).map(({ name }) => [name, primaryLink(statuses)] as const),
    ...secondary.map(({ name }, index) => [name, ordinal ? `net${index + 1}` : hashedName(name)] as const),
  ]);
}

/**
 * The pod's primary link: the first that is the default one (multus/status.go,
 * LookupPodPrimaryIfaceName).
 */
function primaryLink(statuses: readonly NetworkStatus[]): string {
  return statuses.find((status) => status.default && status.interface)?.interface ?? "eth0";
}

/** What KubeVirt makes of a network. */
export interface NetworkView {
  readonly podLink: string;
  /**
   * Whether a status tells of that link: the VMI's status then says `multus-status`, without which
   * an SR-IOV interface is no device of the domain.
   */
  readonly known: boolean;
  /**
   * Whether the VMI is to migrate at once, because the link is another network's
   * (migration/evaluator.go, isNADNameEqual).
   */
  readonly migrates: boolean;
  /**
   * The VF that becomes the domain's `<hostdev>` with the alias `sriov-<name>`
   * (annotations/generator.go; hostdevice/sriov/pcipool_netstatus.go).
   */
  readonly pciAddress?: string;
}

/**
 * What KubeVirt makes of {@link networkStatusAnnotation}, for each network by name. Of several
 * statuses of a link the last one counts.
 */
export function viewsOf(networks: readonly VmNetwork[], annotation: string): Map<string, NetworkView> {
  const statuses = JSON.parse(annotation) as NetworkStatus[];
  const byLink = new Map(statuses.map((status) => [status.interface ?? "", status]));
  const links = podLinks(networks, statuses);
  return new Map(
    networks.map(({ name, nad, sriov }) => {
      const podLink = links.get(name)!;
      const status = byLink.get(podLink);
      const pciAddress = sriov ? status?.["device-info"]?.pci?.["pci-address"] : undefined;
      const migrates = nad !== undefined && status !== undefined && status.name !== nad;
      return [name, { podLink, known: status !== undefined, migrates, ...(pciAddress && { pciAddress }) }];
    }),
  );
}
