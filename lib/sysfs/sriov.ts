// Virtual functions and the physical function that they belong to
// (Documentation/PCI/pci-iov-howto.rst).
import { deviceDirectoryOf, linksOf, pciDevices } from "./pci.ts";
import { attribute, names, type Tree, target } from "./tree.ts";

/** Where a VF belongs. */
export interface VirtualFunction {
  /** The physical function's PCI address. */
  readonly pf: string;
  /** Its number among the physical function's: `virtfn3` is 3. */
  readonly index: number;
}

/**
 * Where the device belongs; undefined where it is no VF. Throws an Error where its PF does not know
 * it.
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

/** The VF's PCI address; undefined where it is gone. */
export function vfAddressOf(tree: Tree, { pf, index }: VirtualFunction): string | undefined {
  return target(tree, `${deviceDirectoryOf(pf)}/virtfn${index}`);
}

/** How many VFs a physical function has, and could have; undefined where it is none. */
export function capacityOf(tree: Tree, pf: string): { readonly vfs: number; readonly most: number } | undefined {
  const [vfs, most] = ["sriov_numvfs", "sriov_totalvfs"].map((name) =>
    attribute(tree, `${deviceDirectoryOf(pf)}/${name}`),
  );
  return vfs === undefined || most === undefined ? undefined : { vfs: Number(vfs), most: Number(most) };
}

/** All VFs' PCI addresses. */
export function virtualFunctions(tree: Tree): string[] {
  return names(tree, pciDevices).filter(
    (address) => target(tree, `${deviceDirectoryOf(address)}/physfn`) !== undefined,
  );
}

/**
 * The link by which a physical function's VFs are set. In switchdev mode its representors
 * (`pf0vf1`, …) hang on the same device; the uplink (`p0`) is the one.
 * Throws an Error where there is none in this namespace, or more than one could be meant.
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
