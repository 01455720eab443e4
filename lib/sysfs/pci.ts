// PCI devices and their drivers: /sys/bus/pci (Documentation/ABI/testing/sysfs-bus-pci).
import { attribute, isThere, names, type Tree, target } from "./tree.ts";

export const pciDevices = "/sys/bus/pci/devices";
export const pciDrivers = "/sys/bus/pci/drivers";

/** Returns the directory of the device with a PCI address such as 0000:3b:02.6. */
export function deviceDirectoryOf(address: string): string {
  return `${pciDevices}/${address}`;
}

export function isDevice(tree: Tree, address: string): boolean {
  return isThere(tree, deviceDirectoryOf(address));
}

/**
 * Identifies a device: a VF that is removed and recreated has the same address and another
 * identity. Throws ENOENT if there is no such device.
 */
export function identityOf(tree: Tree, address: string): { readonly device: number; readonly inode: number } {
  const { device, inode } = tree.stat(`${deviceDirectoryOf(address)}/`);
  return { device, inode };
}

/** Returns the name of the driver that the device is bound to. Undefined if it is bound to none. */
export function driverOf(tree: Tree, address: string): string | undefined {
  return target(tree, `${deviceDirectoryOf(address)}/driver`);
}

/** Returns the only driver that may bind to the device. Undefined if every driver may. */
export function overrideOf(tree: Tree, address: string): string | undefined {
  const found = attribute(tree, `${deviceDirectoryOf(address)}/driver_override`);
  return found === "(null)" || found === "" ? undefined : found;
}

/**
 * Returns the names of the device's network links in the namespace of this sysfs. Links in other
 * namespaces are not listed.
 */
export function linksOf(tree: Tree, address: string): string[] {
  return names(tree, `${deviceDirectoryOf(address)}/net`);
}

export function hasDriver(tree: Tree, driver: string): boolean {
  return isThere(tree, `${pciDrivers}/${driver}`);
}

/** Returns vendor and device as sysfs reports them, such as `8086:10ed`. */
export function describeDevice(tree: Tree, address: string): string {
  const id = (name: string): string =>
    (attribute(tree, `${deviceDirectoryOf(address)}/${name}`) ?? "?").replace("0x", "");
  return `${id("vendor")}:${id("device")}`;
}

/**
 * Sets the only driver that may bind to the device. Undefined: every driver may.
 *
 * A newline clears the attribute: an empty write would not reach the kernel
 * (drivers/pci/pci-sysfs.c, driver_override_store).
 */
export function setOverride(tree: Tree, address: string, driver: string | undefined): void {
  tree.writeFile(`${deviceDirectoryOf(address)}/driver_override`, `${driver ?? ""}\n`);
}

/** Unbinds the device from its driver. Does nothing if it is bound to none. */
export function unbind(tree: Tree, address: string): void {
  if (driverOf(tree, address) === undefined) return;
  try {
    tree.writeFile(`${deviceDirectoryOf(address)}/driver/unbind`, address);
  } catch (failure) {
    if (driverOf(tree, address) !== undefined) throw failure;
  }
}

/**
 * Offers the device to the drivers. The kernel reports no failure if none binds to it: read {@link
 * driverOf}.
 */
export function probe(tree: Tree, address: string): void {
  tree.writeFile("/sys/bus/pci/drivers_probe", address);
}

/**
 * Resets the device if it supports a reset (function-level reset, or the method in `reset_method`).
 * False if it does not.
 */
export function reset(tree: Tree, address: string): boolean {
  const file = `${deviceDirectoryOf(address)}/reset`;
  if (!isThere(tree, file)) return false;
  tree.writeFile(file, "1");
  return true;
}

/** Whether the text is a PCI address with its domain, such as 0000:3b:02.6. */
export function isPciAddress(text: string): boolean {
  return /^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/.test(text);
}
