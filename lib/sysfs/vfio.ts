// VFIO: which drivers hand a device to user space, the IOMMU group that goes with it, and who has
// it open (Documentation/driver-api/vfio.rst).
import { isErrno } from "../errno.ts";
import { deviceDirectoryOf, driverOf } from "./pci.ts";
import { attribute, isThere, names, type Tree, target } from "./tree.ts";

/**
 * Whether the text is the name of vfio-pci or of a variant of it for one kind of device:
 * mlx5_vfio_pci, hisi_acc_vfio_pci,
 * nvgrace-gpu-vfio-pci, …. A name, and never a path: modprobe would load the file. MODULE_NAME_LEN
 * leaves 55 bytes.
 */
export function isVfioDriver(driver: string): boolean {
  return driver.length <= 55 && /^([a-z0-9_-]*[-_])?vfio[-_]pci$/.test(driver);
}

/**
 * The number of the device's IOMMU group; undefined without an IOMMU. It is the same whichever
 * driver has the device.
 */
export function groupOf(tree: Tree, address: string): string | undefined {
  return target(tree, `${deviceDirectoryOf(address)}/iommu_group`);
}

/** Whether the node has an IOMMU that is switched on. */
export function hasIommu(tree: Tree): boolean {
  return names(tree, "/sys/kernel/iommu_groups").length > 0;
}

/** A device of a group that keeps it from being handed to user space. */
export interface Offender {
  readonly address: string;
  readonly driver: string;
}

/** The devices of a group, and the drivers that they have. */
export function membersOf(
  tree: Tree,
  group: string,
): { readonly address: string; readonly driver: string | undefined }[] {
  return names(tree, `/sys/kernel/iommu_groups/${group}/devices`).map((address) => ({
    address,
    driver: driverOf(tree, address),
  }));
}

/**
 * Those of a group's devices, but for `address`, whose drivers use the group's DMA themselves: with
 * them the group is not viable.
 * A device without driver does not, nor does one of VFIO's, pci-stub, or a bridge's
 * (iommu_device_use_default_domain: drivers with `driver_managed_dma`).
 */
export function offendersOf(tree: Tree, group: string, address: string): Offender[] {
  return membersOf(tree, group).flatMap(({ address: other, driver }) =>
    other === address || driver === undefined || isHarmless(driver) ? [] : [{ address: other, driver }],
  );
}

function isHarmless(driver: string): boolean {
  return isVfioDriver(driver) || driver === "pci-stub" || driver === "pcieport" || driver === "shpchp";
}

/** Where user space opens the group. */
export function groupFile(group: string): string {
  return `/dev/vfio/${group}`;
}

/**
 * The file by which user space opens the device, as soon as there is one: its group's, or its own
 * where the kernel has those alone.
 */
export function fileOf(tree: Tree, address: string): string | undefined {
  return filesOf(tree, address).find((path) => isThere(tree, path));
}

/** The file that should be there. */
export function expectedFile(tree: Tree, address: string): string {
  return filesOf(tree, address)[0] ?? "/dev/vfio";
}

/**
 * Since 6.6 a device has one of its own, /dev/vfio/devices/vfio0 (CONFIG_VFIO_DEVICE_CDEV), and a
 * kernel without CONFIG_VFIO_GROUP no other.
 */
function filesOf(tree: Tree, address: string): string[] {
  const group = groupOf(tree, address);
  const own = names(tree, `${deviceDirectoryOf(address)}/vfio-dev`).map((name) => `/dev/vfio/devices/${name}`);
  return [...(group === undefined ? [] : [groupFile(group)]), ...own];
}

/**
 * Has the group open while `work` runs: nobody else can open a device of it meanwhile, which
 * unbinding one would wait for, unkillable. Where somebody has it, it is waited for.
 * Throws an Error that names who keeps it open for longer than `patience` milliseconds.
 */
export function whileUnused<T>(tree: Tree, group: string, patience: number, work: () => T): T {
  const path = groupFile(group);
  if (!isThere(tree, path)) return work();
  const end = tree.monotonic() + patience;
  let fd: number | undefined;
  while (fd === undefined) {
    try {
      fd = tree.lock(path, 0);
    } catch (failure) {
      // The group went with its last device.
      if (isErrno(failure, "ENOENT", "ENODEV", "ENXIO")) return work();
      if (!isErrno(failure, "EBUSY", "ETIMEDOUT")) throw failure;
      if (tree.monotonic() >= end)
        throw new Error(`${path}: is open in ${holdersOf(tree, path).join(", ") || "another process"}`);
      tree.sleep(50);
    }
  }
  try {
    return work();
  } finally {
    tree.close(fd);
  }
}

/** Who has the group open, in words; undefined where nobody has. */
export function useOf(tree: Tree, group: string): string | undefined {
  try {
    whileUnused(tree, group, 0, () => undefined);
    return undefined;
  } catch (failure) {
    return (failure as Error).message;
  }
}

/** The processes that have a file open, such as `qemu-kvm (4711)`. */
export function holdersOf(tree: Tree, path: string): string[] {
  return names(tree, "/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => files(tree, pid).some((fd) => pointsAt(tree, `/proc/${pid}/fd/${fd}`, path)))
    .map((pid) => `${attribute(tree, `/proc/${pid}/comm`) ?? "process"} (${pid})`);
}

function files(tree: Tree, pid: string): string[] {
  try {
    return names(tree, `/proc/${pid}/fd`);
  } catch {
    return [];
  }
}

function pointsAt(tree: Tree, link: string, path: string): boolean {
  try {
    return tree.readLink(link) === path;
  } catch {
    return false;
  }
}
