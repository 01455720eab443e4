// Reads VFIO: the drivers that hand a device to user space, IOMMU groups, and the processes that
// use them (Documentation/driver-api/vfio.rst).
import { isErrno } from "../errno.ts";
import { deviceDirectoryOf, driverOf } from "./pci.ts";
import { attribute, isThere, names, type Tree, target } from "./tree.ts";

/**
 * Whether the text is the name of vfio-pci or of a variant for one kind of device: mlx5_vfio_pci,
 * hisi_acc_vfio_pci, nvgrace-gpu-vfio-pci, ….
 *
 * It must be a name and never a path, because modprobe would load the file. MODULE_NAME_LEN limits
 * it to 55 bytes.
 */
export function isVfioDriver(driver: string): boolean {
  return driver.length <= 55 && /^([a-z0-9_-]*[-_])?vfio[-_]pci$/.test(driver);
}

/**
 * Returns the number of the device's IOMMU group. Undefined without an IOMMU. The number does not
 * depend on the driver.
 */
export function groupOf(tree: Tree, address: string): string | undefined {
  return target(tree, `${deviceDirectoryOf(address)}/iommu_group`);
}

/** Whether the node has an enabled IOMMU. */
export function hasIommu(tree: Tree): boolean {
  return names(tree, "/sys/kernel/iommu_groups").length > 0;
}

/** A device whose driver keeps its group from being handed to user space. */
export interface Offender {
  readonly address: string;
  readonly driver: string;
}

/** Returns the devices of a group, each with its driver. */
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
 * Returns the devices of a group, other than `address`, whose drivers use the group's DMA. They
 * make the group not viable.
 *
 * A device without a driver does not use DMA. Neither does one on a VFIO driver, on pci-stub or on
 * a bridge's driver (iommu_device_use_default_domain: drivers with `driver_managed_dma`).
 */
export function offendersOf(tree: Tree, group: string, address: string): Offender[] {
  return membersOf(tree, group).flatMap(({ address: other, driver }) =>
    other === address || driver === undefined || isHarmless(driver) ? [] : [{ address: other, driver }],
  );
}

function isHarmless(driver: string): boolean {
  return isVfioDriver(driver) || driver === "pci-stub" || driver === "pcieport" || driver === "shpchp";
}

/** Returns the path by which user space opens the group. */
export function groupFile(group: string): string {
  return `/dev/vfio/${group}`;
}

/**
 * Returns the file by which user space opens the device: its group's file, or its own if the kernel
 * has no group files. Undefined while neither exists.
 */
export function fileOf(tree: Tree, address: string): string | undefined {
  return filesOf(tree, address).find((path) => isThere(tree, path));
}

/** Returns the path of the file that should exist. */
export function expectedFile(tree: Tree, address: string): string {
  return filesOf(tree, address)[0] ?? "/dev/vfio";
}

/**
 * Since Linux 6.6 a device has a file of its own, /dev/vfio/devices/vfio0
 * (CONFIG_VFIO_DEVICE_CDEV). A kernel without CONFIG_VFIO_GROUP has no other.
 */
function filesOf(tree: Tree, address: string): string[] {
  const group = groupOf(tree, address);
  const own = names(tree, `${deviceDirectoryOf(address)}/vfio-dev`).map((name) => `/dev/vfio/devices/${name}`);
  return [...(group === undefined ? [] : [groupFile(group)]), ...own];
}

/**
 * Keeps the group open while `work` runs, so that no other process can open a device of it:
 * unbinding would wait for that process and could not be killed.
 *
 * If the group is in use, waits for up to `timeoutMs` milliseconds. Then throws an Error that names
 * the processes that use it.
 */
export function whileUnused<T>(tree: Tree, group: string, timeoutMs: number, work: () => T): T {
  const path = groupFile(group);
  if (!isThere(tree, path)) return work();
  const end = tree.monotonic() + timeoutMs;
  let fd: number | undefined;
  while (fd === undefined) {
    try {
      fd = tree.lock(path, 0);
    } catch (failure) {
      // The group was deleted with its last device.
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

/** Names the processes that have the group open. Undefined if none has. */
export function useOf(tree: Tree, group: string): string | undefined {
  try {
    whileUnused(tree, group, 0, () => undefined);
    return undefined;
  } catch (failure) {
    return (failure as Error).message;
  }
}

/** Names the processes that have a file open, such as `qemu-kvm (4711)`. */
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
