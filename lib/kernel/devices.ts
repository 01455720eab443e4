// A node's devices, as plans change them: VFs by their PF's link, drivers and files by their paths.
// Everything that it touches comes in, so that tests can put their own in its place.
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

/** What a node does beside sysfs and rtnetlink. */
export interface Node {
  /** Loads a kernel module. Throws where it cannot. */
  loadModule(name: string): void;
  /**
   * Puts a file in the place of another, or where none is, whole or not at all. Its directory is
   * made if need be.
   */
  replaceFile(path: string, text: string): void;
  /** Takes away what a `replaceFile` that was killed may have left beside the path. */
  discardDraft(path: string): void;
  unlink(path: string): void;
}

/** See {@link DeviceKernel}. Throws NetlinkErrors, HostErrors and Errors. */
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
      // Whoever has the device open keeps its settings, and nobody opens it before all of them are
      // as they were.
      if (bound === undefined) return this.drivers.whileUnused(device, () => this.#revertEach(changes));
      this.drivers.release(bound);
    } catch (failure) {
      return [failure];
    }
    return this.#revertEach(changes);
  }

  /**
   * In the order in which they were made: a VF's settings before its driver, which reads them when
   * it takes it.
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
    // Multus takes the file away by itself, and what somebody else wrote is theirs.
    if (readText(this.tree, path) !== to) return;
    if (from === undefined) this.#node.unlink(path);
    else this.#node.replaceFile(path, from);
  }
}
