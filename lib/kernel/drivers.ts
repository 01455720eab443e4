// Which driver has a PCI device: given to VFIO, and given back.
import type { BindDriver, Binding } from "../plan/device.ts";
import type { Difference } from "../plan/differences.ts";
import * as pci from "../sysfs/pci.ts";
import { type Tree, until } from "../sysfs/tree.ts";
import * as vfio from "../sysfs/vfio.ts";
import type { LinkRenamer } from "./link-names.ts";

/** How long a device that is in use is waited for, and a device node: milliseconds. */
const patience = { use: 10_000, node: 5_000 } as const;

/** The drivers of the node's devices. Throws HostErrors and Errors. */
export class Drivers {
  readonly #tree: Tree;
  readonly #links: LinkRenamer;
  readonly #loadModule: (name: string) => void;

  /** @param loadModule throws where the kernel cannot load the module */
  constructor(tree: Tree, links: LinkRenamer, loadModule: (name: string) => void) {
    this.#tree = tree;
    this.#links = links;
    this.#loadModule = loadModule;
  }

  /**
   * Sees that the kernel has a driver, whose module is loaded if need be. Throws an Error where it
   * comes to none.
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
   * Waits for the file by which user space opens the device. Throws an Error where it does not
   * come.
   */
  awaitFile(device: string): void {
    const tree = this.#tree;
    if (!until(tree, patience.node, () => vfio.fileOf(tree, device) !== undefined))
      throw new Error(
        `${vfio.expectedFile(tree, device)}: is not there although ${device} is on a VFIO driver; expected udev or devtmpfs to make it`,
      );
  }

  /**
   * Takes the device from the driver that it was bound to; nothing where another has it by now.
   * Throws an Error where somebody has it open for long.
   */
  release({ device, from, to }: BindDriver): void {
    const driver = pci.driverOf(this.#tree, device);
    if (driver === to.driver && driver !== from.driver) this.#release(device);
  }

  /** Gives a released device to the driver that it had. */
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
    // It is back, or never was away, or somebody has given it to another driver since: then only
    // our override is taken back.
    if (pci.overrideOf(tree, device) !== from.override) pci.setOverride(tree, device, from.override);
    // A call that was killed after the driver had it back did not come to the links' names.
    if (driver === from.driver && this.#links.areIdle(device, links.length)) this.#links.restore(device, links);
  }

  /**
   * Calls back while nobody has the device open, nor can open it, where a VFIO driver has it.
   * Throws an Error where somebody has it open for long.
   */
  whileUnused<T>(device: string, work: () => T): T {
    const group = this.#openGroup(device);
    return group === undefined ? work() : vfio.whileUnused(this.#tree, group, patience.use, work);
  }

  /**
   * Has the device's driver take it anew, and calls back while none has it. Its links keep their
   * names.
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

  /** Names what keeps the device from being on that driver. */
  differences({ device, to }: BindDriver): Difference[] {
    const driver = pci.driverOf(this.#tree, device);
    return driver === to.driver ? [] : [{ subject: device, fact: `driver is ${driver ?? "none"}, not ${to.driver}` }];
  }

  /** Takes the device from its driver; where that is VFIO's, not before nobody has it open. */
  #release(device: string): void {
    this.whileUnused(device, () => pci.unbind(this.#tree, device));
  }

  /** The group by which user space can open the device now. */
  #openGroup(device: string): string | undefined {
    const driver = pci.driverOf(this.#tree, device);
    return driver !== undefined && vfio.isVfioDriver(driver) ? vfio.groupOf(this.#tree, device) : undefined;
  }

  /**
   * Gives a device without driver to that one and no other, and leaves the override as it is to be.
   */
  #handTo(device: string, { driver, override }: { readonly [K in keyof Binding]?: Binding[K] | undefined }): void {
    if (driver !== undefined) {
      this.ensure(driver);
      pci.setOverride(this.#tree, device, driver);
      pci.probe(this.#tree, device);
    }
    if (pci.overrideOf(this.#tree, device) !== override) pci.setOverride(this.#tree, device, override);
  }
}
