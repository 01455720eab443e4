// PCI devices and their drivers: /sys/bus/pci (Documentation/ABI/testing/sysfs-bus-pci).
import { attribute, isThere, names, type Tree, target } from "./tree.ts";

export const pciDevices = "/sys/bus/pci/devices";
export const pciDrivers = "/sys/bus/pci/drivers";

/** The directory of the device with a PCI address such as 0000:3b:02.6. */
export function deviceDirectoryOf(address: string): string {
  return `${pciDevices}/${address}`;
}

export function isDevice(tree: Tree, address: string): boolean {
  return isThere(tree, deviceDirectoryOf(address));
}

/**
 * What tells a device from one that has its address after it: a VF that was removed and made anew.
 * Throws ENOENT where there is none.
 */
export function identityOf(tree: Tree, address: string): { readonly device: number; readonly inode: number } {
  const { device, inode } = tree.stat(`${deviceDirectoryOf(address)}/`);
  return { device, inode };
}

/** The name of the driver that has the device; undefined where none has. */
export function driverOf(tree: Tree, address: string): string | undefined {
  return target(tree, `${deviceDirectoryOf(address)}/driver`);
}

/** The only driver that may take the device; undefined where any that knows it may. */
export function overrideOf(tree: Tree, address: string): string | undefined {
  const found = attribute(tree, `${deviceDirectoryOf(address)}/driver_override`);
  return found === "(null)" || found === "" ? undefined : found;
}

/**
 * The names of the device's network links in the namespace whose sysfs this is: none where they are
 * in another.
 */
export function linksOf(tree: Tree, address: string): string[] {
  return names(tree, `${deviceDirectoryOf(address)}/net`);
}

export function hasDriver(tree: Tree, driver: string): boolean {
  return isThere(tree, `${pciDrivers}/${driver}`);
}

/** Such as `Ethernet controller 8086:10ed`, as far as sysfs knows. */
export function describeDevice(tree: Tree, address: string): string {
  const id = (name: string): string =>
    (attribute(tree, `${deviceDirectoryOf(address)}/${name}`) ?? "?").replace("0x", "");
  return `${id("vendor")}:${id("device")}`;
}

/**
 * Says which driver alone may take the device; undefined: any that knows it.
 * A newline clears it: an empty write would not reach the kernel (drivers/pci/pci-sysfs.c,
 * driver_override_store).
 */
export function setOverride(tree: Tree, address: string, driver: string | undefined): void {
  tree.writeFile(`${deviceDirectoryOf(address)}/driver_override`, `${driver ?? ""}\n`);
}

/** Takes the device from the driver that has it; nothing where none has. */
export function unbind(tree: Tree, address: string): void {
  if (driverOf(tree, address) === undefined) return;
  try {
    tree.writeFile(`${deviceDirectoryOf(address)}/driver/unbind`, address);
  } catch (failure) {
    if (driverOf(tree, address) !== undefined) throw failure;
  }
}

/**
 * Offers the device to the drivers. That none takes it is no failure to the kernel: {@link
 * driverOf} tells.
 */
export function probe(tree: Tree, address: string): void {
  tree.writeFile("/sys/bus/pci/drivers_probe", address);
}

/**
 * Resets the device, where it can be (function-level reset, or what `reset_method` says); false
 * where it cannot.
 */
export function reset(tree: Tree, address: string): boolean {
  const file = `${deviceDirectoryOf(address)}/reset`;
  if (!isThere(tree, file)) return false;
  tree.writeFile(file, "1");
  return true;
}

/** A PCI address with its domain, such as 0000:3b:02.6. */
export function isPciAddress(text: string): boolean {
  return /^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/.test(text);
}
