// Performs and reverts the changes of a plan on a node's devices: VFs, drivers and files.
// Everything that it touches is a parameter, so that tests can pass their own.
import { failuresOf } from "../failures.ts";
import type { Netlink } from "../netlink/client.ts";
import type { DeviceKernel } from "../plan/allocations.ts";
import { bindings, type DeviceChange, type WriteFile } from "../plan/device.ts";
import type { Difference } from "../plan/differences.ts";
import { byKind } from "../plan/kinds.ts";
import { readText, type Tree } from "../sysfs/tree.ts";
import { Drivers } from "./drivers.ts";
import { LinkRenamer } from "./link-names.ts";
import { Vfs } from "./vfs.ts";

/** The effects on a node that are neither sysfs nor rtnetlink. */
export interface Node {
  /** Loads a kernel module. Throws if it cannot. */
  loadModule(name: string): void;
  /** Creates or replaces a file atomically. Creates its directory if needed. */
  replaceFile(path: string, text: string): void;
  /** Removes what a killed `replaceFile` may have left next to the path. */
  discardDraft(path: string): void;
  unlink(path: string): void;
}

/** Throws NetlinkErrors, HostErrors and Errors. */
export class NodeDevices implements DeviceKernel {
  readonly tree: Tree;
  readonly drivers: Drivers;
  readonly vfs: Vfs;
  readonly #node: Node;

  constructor(tree: Tree, rtnl: Netlink, node: Node) {
    this.tree = tree;
    this.drivers = new Drivers(tree, new LinkRenamer(tree, rtnl), node.loadModule);
    this.vfs = new Vfs(tree, rtnl, (device, meanwhile) => this.drivers.reload(device, meanwhile));
    this.#node = node;
  }

  perform(change: DeviceChange): void {
    byKind(change, {
      configureVf: (one) => this.vfs.configure(one),
      bindDriver: (one) => this.drivers.bind(one),
      file: ({ path, to }) => this.#node.replaceFile(path, to),
    });
  }

  revert(device: string, changes: readonly DeviceChange[]): unknown[] {
    const [bound] = bindings(changes);
    try {
      // A process that has the device open keeps its settings. No process can open it before all
      // settings are restored.
      if (bound === undefined) return this.drivers.whileUnused(device, () => this.#revertEach(changes));
      this.drivers.release(bound);
    } catch (failure) {
      return [failure];
    }
    return this.#revertEach(changes);
  }

  /**
   * In the order in which they were performed: the settings of a VF before its driver, which reads
   * them when it binds.
   */
  #revertEach(changes: readonly DeviceChange[]): unknown[] {
    return failuresOf(changes.map((change) => () => this.#revert(change)));
  }

  #revert(change: DeviceChange): void {
    byKind(change, {
      configureVf: (one) => this.vfs.restore(one),
      bindDriver: (one) => this.drivers.giveBack(one),
      file: (one) => this.#restoreFile(one),
    });
  }

  differences(change: DeviceChange): Difference[] {
    return byKind<DeviceChange, Difference[]>(change, {
      configureVf: (one) => this.vfs.differences(one),
      bindDriver: (one) => this.drivers.differences(one),
      file: ({ path, to }) =>
        readText(this.tree, path) === to ? [] : [{ subject: path, fact: "is not as ADD wrote it" }],
    });
  }

  #restoreFile({ path, from, to }: WriteFile): void {
    this.#node.discardDraft(path);
    // Multus removes the file itself. Content that another process wrote stays.
    if (readText(this.tree, path) !== to) return;
    if (from === undefined) this.#node.unlink(path);
    else this.#node.replaceFile(path, from);
  }
}
