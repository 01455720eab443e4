// Reads SR-IOV: virtual functions, and the physical function of each
// (Documentation/PCI/pci-iov-howto.rst).
import { deviceDirectoryOf, linksOf, pciDevices } from "./pci.ts";
import { attribute, names, type Tree, target } from "./tree.ts";

/** The place of a VF. */
export interface VirtualFunction {
  /** The physical function's PCI address. */
  readonly pf: string;
  /** Its number at the physical function: `virtfn3` is 3. */
  readonly index: number;
}

/**
 * Returns the place of a VF. Undefined if the device is not a VF. Throws an Error if its PF does
 * not list it.
 */
export function virtualFunction(tree: Tree, address: string): VirtualFunction | undefined {
  const pf = target(tree, `${deviceDirectoryOf(address)}/physfn`);
  if (pf === undefined) return undefined;
  const directory = deviceDirectoryOf(pf);
  const link = names(tree, directory).find(
    (name) => /^virtfn\d+$/.test(name) && target(tree, `${directory}/${name}`) === address,
  );
  if (link === undefined) throw new Error(`${address}: is no VF of ${pf} any more, which it says it belongs to`);
  return { pf, index: Number(link.slice("virtfn".length)) };
}

/** Returns the VF's PCI address. Undefined if the VF does not exist. */
export function vfAddressOf(tree: Tree, { pf, index }: VirtualFunction): string | undefined {
  return target(tree, `${deviceDirectoryOf(pf)}/virtfn${index}`);
}

/**
 * Returns how many VFs a physical function has, and how many it could have. Undefined if the device
 * is not a PF.
 */
export function capacityOf(tree: Tree, pf: string): { readonly vfs: number; readonly most: number } | undefined {
  const [vfs, most] = ["sriov_numvfs", "sriov_totalvfs"].map((name) =>
    attribute(tree, `${deviceDirectoryOf(pf)}/${name}`),
  );
  return vfs === undefined || most === undefined ? undefined : { vfs: Number(vfs), most: Number(most) };
}

/** Returns the PCI addresses of all VFs. */
export function virtualFunctions(tree: Tree): string[] {
  return names(tree, pciDevices).filter(
    (address) => target(tree, `${deviceDirectoryOf(address)}/physfn`) !== undefined,
  );
}

/**
 * Returns the link that configures the VFs of a physical function.
 *
 * In switchdev mode the representors (`pf0vf1`, …) belong to the same device: the uplink (`p0`) is
 * the right link. Throws an Error if this namespace has none, or more than one candidate.
 */
export function uplinkOf(tree: Tree, pf: string): string {
  const links = linksOf(tree, pf);
  if (links.length === 0)
    throw new Error(`${pf}: the VF's PF has no network link in the host's namespace; its driver must have one`);
  const uplinks = links.filter((name) => {
    const port = attribute(tree, `/sys/class/net/${name}/phys_port_name`);
    return port === undefined || port === "" || /^p\d+$/.test(port);
  });
  const [uplink, ...others] = uplinks.length === 0 ? links : uplinks;
  if (others.length > 0 || uplinks.length === 0)
    throw new Error(`${pf}: has the links ${links.join(", ")}, of which none is its only uplink`);
  return uplink!;
}
