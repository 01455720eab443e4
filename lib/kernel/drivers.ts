// Binds PCI devices to VFIO drivers, and back to their own.
import type { BindDriver, Binding } from "../plan/device.ts";
import type { Difference } from "../plan/differences.ts";
import * as pci from "../sysfs/pci.ts";
import { type Tree, until } from "../sysfs/tree.ts";
import * as vfio from "../sysfs/vfio.ts";
import type { LinkRenamer } from "./link-names.ts";

/** How long to wait for a device that is in use, and for a device node. */
const timeoutsMs = { use: 10_000, node: 5_000 } as const;

/** The drivers of the node's devices. Throws HostErrors and Errors. */
export class Drivers {
  readonly #tree: Tree;
  readonly #links: LinkRenamer;
  readonly #loadModule: (name: string) => void;

  /** @param loadModule throws if the kernel cannot load the module */
  constructor(tree: Tree, links: LinkRenamer, loadModule: (name: string) => void) {
    this.#tree = tree;
    this.#links = links;
    this.#loadModule = loadModule;
  }

  /**
   * Loads the driver's module if the kernel does not have the driver. Throws an Error if the driver
   * is missing afterwards.
   */
  ensure(driver: string): void {
    if (pci.hasDriver(this.#tree, driver)) return;
    this.#loadModule(driver);
    if (!pci.hasDriver(this.#tree, driver))
      throw new Error(`${driver}: module loaded, but it registers no PCI driver of that name`);
  }

  bind({ device, to: { driver } }: BindDriver): void {
    const tree = this.#tree;
    this.ensure(driver);
    pci.setOverride(tree, device, driver);
    this.#release(device);
    pci.probe(tree, device);
    const found = pci.driverOf(tree, device);
    if (found !== driver)
      throw new Error(`${device}: ${driver} did not bind to it (driver: ${found ?? "none"}); see dmesg`);
    this.awaitFile(device);
  }

  /**
   * Waits for the file by which user space opens the device. Throws an Error if it does not appear.
   */
  awaitFile(device: string): void {
    const tree = this.#tree;
    if (!until(tree, timeoutsMs.node, () => vfio.fileOf(tree, device) !== undefined))
      throw new Error(
        `${vfio.expectedFile(tree, device)}: is not there although ${device} is on a VFIO driver; expected udev or devtmpfs to make it`,
      );
  }

  /**
   * Unbinds the device from the driver that ADD bound it to. Does nothing if another driver has it.
   *
   * Throws an Error if a process keeps the device open.
   */
  release({ device, from, to }: BindDriver): void {
    const driver = pci.driverOf(this.#tree, device);
    if (driver === to.driver && driver !== from.driver) this.#release(device);
  }

  /** Binds a released device to its former driver. */
  giveBack({ device, from, links }: BindDriver): void {
    const tree = this.#tree;
    const driver = pci.driverOf(tree, device);
    if (driver === undefined) {
      pci.reset(tree, device);
      this.#handTo(device, from);
      const found = pci.driverOf(tree, device);
      if (found !== from.driver)
        throw new Error(`${device}: driver is ${found ?? "none"}, and ${from.driver ?? "none"} did not take it back`);
      this.#links.restore(device, links);
      return;
    }
    // The device is on its former driver, never left it, or was bound to another driver after ADD.
    // Only our override is reverted.
    if (pci.overrideOf(tree, device) !== from.override) pci.setOverride(tree, device, from.override);
    // A call that was killed after the driver was bound did not reach the links' names.
    if (driver === from.driver && this.#links.areIdle(device, links.length)) this.#links.restore(device, links);
  }

  /**
   * Calls back while no process has the device open or can open it, if it is on a VFIO driver.
   * Throws an Error if a process keeps it open.
   */
  whileUnused<T>(device: string, work: () => T): T {
    const group = this.#openGroup(device);
    return group === undefined ? work() : vfio.whileUnused(this.#tree, group, timeoutsMs.use, work);
  }

  /**
   * Unbinds the device from its driver, calls back, and binds it again. Its links keep their names.
   */
  reload(device: string, meanwhile: () => void): void {
    const tree = this.#tree;
    const driver = pci.driverOf(tree, device);
    const links = pci.linksOf(tree, device);
    pci.unbind(tree, device);
    try {
      meanwhile();
    } finally {
      this.#handTo(device, { driver, override: pci.overrideOf(tree, device) });
      this.#links.restore(device, links);
    }
  }

  /** Returns a difference if the device is not on the change's driver. */
  differences({ device, to }: BindDriver): Difference[] {
    const driver = pci.driverOf(this.#tree, device);
    return driver === to.driver ? [] : [{ subject: device, fact: `driver is ${driver ?? "none"}, not ${to.driver}` }];
  }

  /**
   * Unbinds the device from its driver. If that is a VFIO driver, waits until no process has it
   * open.
   */
  #release(device: string): void {
    this.whileUnused(device, () => pci.unbind(this.#tree, device));
  }

  /** Returns the group by which user space can open the device now. */
  #openGroup(device: string): string | undefined {
    const driver = pci.driverOf(this.#tree, device);
    return driver !== undefined && vfio.isVfioDriver(driver) ? vfio.groupOf(this.#tree, device) : undefined;
  }

  /** Binds a device without a driver to this driver and no other, and then sets the override. */
  #handTo(device: string, { driver, override }: { readonly [K in keyof Binding]?: Binding[K] | undefined }): void {
    if (driver !== undefined) {
      this.ensure(driver);
      pci.setOverride(this.#tree, device, driver);
      pci.probe(this.#tree, device);
    }
    if (pci.overrideOf(this.#tree, device) !== override) pci.setOverride(this.#tree, device, override);
  }
}
