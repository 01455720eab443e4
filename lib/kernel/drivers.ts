// Which driver has a PCI device: given to VFIO, and given back.
import type { BindDriver, Binding } from "../plan/device.ts";
import * as pci from "../sysfs/pci.ts";
import { type Tree, until } from "../sysfs/tree.ts";
import * as vfio from "../sysfs/vfio.ts";
import type { LinkNames } from "./link-names.ts";

/** How long a device that is in use is waited for, and a device node: milliseconds. */
const patience = { use: 10_000, node: 5_000 } as const;

/** The drivers of the node's devices. Throws HostErrors and Errors. */
export class Drivers {
  readonly #tree: Tree;
  readonly #links: LinkNames;
  readonly #loadModule: (name: string) => void;

  /** @param loadModule throws where the kernel cannot load the module */
  constructor(tree: Tree, links: LinkNames, loadModule: (name: string) => void) {
    this.#tree = tree;
    this.#links = links;
    this.#loadModule = loadModule;
  }

  /** Sees that the kernel has a driver, whose module is loaded if need be. Throws an Error where it comes to none. */
  ensure(driver: string): void {
    if (pci.hasDriver(this.#tree, driver)) return;
    this.#loadModule(driver);
    if (!pci.hasDriver(this.#tree, driver))
      throw new Error(`${driver}: its module is loaded, and there is no such PCI driver`);
  }

  bind({ device, to: { driver } }: BindDriver): void {
    const tree = this.#tree;
    this.ensure(driver);
    pci.setOverride(tree, device, driver);
    this.#release(device);
    pci.probe(tree, device);
    const found = pci.driverOf(tree, device);
    if (found !== driver)
      throw new Error(
        `${device}: ${driver} did not take it (its driver is ${found ?? "none"}); the kernel's log says why`,
      );
    this.awaitFile(device);
  }

  /** Waits for the file by which user space opens the device. Throws an Error where it does not come. */
  awaitFile(device: string): void {
    const tree = this.#tree;
    if (!until(tree, patience.node, () => vfio.fileOf(tree, device) !== undefined))
      throw new Error(
        `${vfio.expectedFile(tree, device)}: is not there although ${device} is on a VFIO driver; expected udev or devtmpfs to make it`,
      );
  }

  giveBack({ device, from, to, links }: BindDriver): void {
    const tree = this.#tree;
    const driver = pci.driverOf(tree, device);
    // Somebody has given it to another driver since: only our override is taken back.
    const isOurs = driver === to.driver || driver === undefined;
    if (isOurs && driver !== from.driver) {
      this.#release(device);
      pci.reset(tree, device);
      this.#handTo(device, from);
    } else if (pci.overrideOf(tree, device) !== from.override) pci.setOverride(tree, device, from.override);
    const found = pci.driverOf(tree, device);
    if (isOurs && found !== from.driver)
      throw new Error(`${device}: driver is ${found ?? "none"}, and ${from.driver ?? "none"} did not take it back`);
    // A call that was killed after the driver had it back did not come to the links' names.
    if (isOurs || (found === from.driver && this.#links.areIdle(device, links.length)))
      this.#links.restore(device, links);
  }

  /** Has the device's driver take it anew, and calls back while none has it. Its links keep their names. */
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
  differences({ device, to }: BindDriver): string[] {
    const driver = pci.driverOf(this.#tree, device);
    return driver === to.driver ? [] : [`${device}: driver is ${driver ?? "none"}, not ${to.driver}`];
  }

  /** Takes the device from its driver; where that is VFIO's, not before nobody has it open. */
  #release(device: string): void {
    const tree = this.#tree;
    const driver = pci.driverOf(tree, device);
    const group = driver !== undefined && vfio.isVfioDriver(driver) ? vfio.groupOf(tree, device) : undefined;
    if (group === undefined) pci.unbind(tree, device);
    else vfio.whileUnused(tree, group, patience.use, () => pci.unbind(tree, device));
  }

  /** Gives a device without driver to that one and no other, and leaves the override as it is to be. */
  #handTo(device: string, { driver, override }: { readonly [K in keyof Binding]?: Binding[K] | undefined }): void {
    if (driver !== undefined) {
      this.ensure(driver);
      pci.setOverride(this.#tree, device, driver);
      pci.probe(this.#tree, device);
    }
    if (pci.overrideOf(this.#tree, device) !== override) pci.setOverride(this.#tree, device, override);
  }
}
