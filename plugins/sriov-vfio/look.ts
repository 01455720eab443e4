// Reads the state of a VF before any change, as far as a plan needs it.
import { CniError, code } from "../../lib/cni/errors.ts";
import type { NodeDevices } from "../../lib/kernel/devices.ts";
import { noMac } from "../../lib/net/mac.ts";
import type { VfSettings } from "../../lib/plan/device.ts";
import * as pci from "../../lib/sysfs/pci.ts";
import { capacityOf, virtualFunction } from "../../lib/sysfs/sriov.ts";
import { attribute, type Tree } from "../../lib/sysfs/tree.ts";
import * as vfio from "../../lib/sysfs/vfio.ts";
import type { FoundVf } from "./plan.ts";

/**
 * NET_ADDR_RANDOM of <uapi/linux/netdevice.h>: the driver picked the MAC address, because the PF
 * has none for the VF.
 */
const random = "1";

/**
 * Returns the state of a VF. Throws a CniError if there is no such VF, or if its PF has no link to
 * configure it.
 */
export function look(kernel: NodeDevices, device: string): FoundVf {
  const { tree } = kernel;
  const where = virtualFunction(tree, device);
  if (where === undefined) throw noVf(tree, device);
  requireNetworkDriver(tree, where.pf);
  const driver = pci.driverOf(tree, device);
  const override = pci.overrideOf(tree, device);
  const links = pci.linksOf(tree, device);
  const group = vfio.groupOf(tree, device);
  const { uplink, up, mtu, settings } = kernel.vfs.get(where);
  const picked = links.some((name) => isPicked(tree, name, settings));
  return {
    ...where,
    device,
    binding: { ...(driver !== undefined && { driver }), ...(override !== undefined && { override }) },
    links,
    mtu: Number(links[0] === undefined ? mtu : (attribute(tree, `/sys/class/net/${links[0]}/mtu`) ?? mtu)),
    uplink,
    up,
    // If DEL restored a random address, it would look like an administrator's.
    settings: picked ? { ...settings, mac: noMac } : settings,
    picked,
    group,
    offenders: group === undefined ? [] : vfio.offendersOf(tree, group, device),
  };
}

/**
 * Whether the PF's address of the VF is the one that the link's driver picked. A different one was
 * set by an administrator, and the driver does not use it yet.
 */
function isPicked(tree: Tree, link: string, { mac }: VfSettings): boolean {
  const of = (name: string): string | undefined => attribute(tree, `/sys/class/net/${link}/${name}`);
  return of("addr_assign_type") === random && of("address") === mac;
}

/**
 * Throws a CniError if the PF is not bound to a network driver and therefore cannot configure its
 * VFs.
 */
function requireNetworkDriver(tree: Tree, pf: string): void {
  const driver = pci.driverOf(tree, pf);
  if (driver !== undefined && !vfio.isVfioDriver(driver)) return;
  const fact = `${pf}: the PF is bound to ${driver ?? "no driver"}, so its VFs cannot be configured`;
  throw new CniError(code.obstructed, fact, "give the PF back to its network driver");
}

function noVf(tree: Tree, device: string): CniError {
  const capacity = capacityOf(tree, device);
  if (capacity === undefined)
    return new CniError(
      code.obstructed,
      `${device}: is no virtual function`,
      "deviceID must be an SR-IOV VF's PCI address",
    );
  const { vfs, most } = capacity;
  return new CniError(
    code.obstructed,
    `${device}: is a physical function, with ${vfs} of ${most} VFs`,
    vfs === 0
      ? `make VFs: echo ${most} > ${pci.deviceDirectoryOf(device)}/sriov_numvfs`
      : "deviceID must be one of its VFs",
  );
}
