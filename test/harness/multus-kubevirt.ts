// Computes what KubeVirt writes for Multus into a pod, and how KubeVirt interprets what Multus
// writes there. Follows KubeVirt's Go code (pkg/network, v1.9).
import { createHash } from "node:crypto";

/** The annotation in which a pod requests networks, and the one in which Multus reports them. */
export const networksAnnotation = "k8s.v1.cni.cncf.io/networks";
export const networkStatusAnnotation = "k8s.v1.cni.cncf.io/network-status";

/** A network of a VM, with its interface. */
export interface VmNetwork {
  readonly name: string;
  /** `multus.networkName`, such as `default/vlan-100`. Undefined for the pod's default network. */
  readonly nad?: string;
  readonly mac?: string;
  /**
   * The NetworkAttachmentDefinition of the binding, such as `default/bridge-binding`. Undefined
   * without a binding.
   */
  readonly binding?: string;
  /** Whether the interface has `sriov: {}`. */
  readonly sriov?: boolean;
}

/**
 * An entry of {@link networkStatusAnnotation} (`NetworkStatus` in types.go of the Network Plumbing
 * Working Group).
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
 * Returns the value of {@link networksAnnotation} for these networks (multus/annotation.go,
 * GenerateCNIAnnotation): each network, followed by its binding.
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
 * Returns the name of a secondary network's pod link (namescheme/networknamescheme.go,
 * GenerateHashedInterfaceName).
 */
export function hashedName(network: string): string {
  return `pod${createHash("sha256").update(network).digest("hex").slice(0, 11)}`;
}

/**
 * Returns the pod link that KubeVirt expects for each network (CreateFromNetworkStatuses).
 *
 * If any status has an ordinal name (`net1`), KubeVirt expects ordinal names, otherwise hashed
 * names.
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
 * Returns the pod's primary link: the first one that is marked as default (multus/status.go,
 * LookupPodPrimaryIfaceName).
 */
function primaryLink(statuses: readonly NetworkStatus[]): string {
  return statuses.find((status) => status.default && status.interface)?.interface ?? "eth0";
}

/** How KubeVirt interprets a network. */
export interface NetworkView {
  readonly podLink: string;
  /**
   * Whether a status names that link. KubeVirt then adds `multus-status` to the VMI's status.
   * Without it, the domain gets no device for an SR-IOV interface.
   */
  readonly known: boolean;
  /**
   * Whether KubeVirt migrates the VMI immediately, because the link belongs to another network
   * (migration/evaluator.go, isNADNameEqual).
   */
  readonly migrates: boolean;
  /**
   * The VF for the domain's `<hostdev>` with the alias `sriov-<name>` (annotations/generator.go;
   * hostdevice/sriov/pcipool_netstatus.go).
   */
  readonly pciAddress?: string;
}

/**
 * Returns how KubeVirt interprets {@link networkStatusAnnotation}, for each network by name. If a
 * link has several statuses, the last one applies.
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
