// Gives a device's network links the names that they had: the driver that makes them anew may call
// them otherwise.
import type { Netlink } from "../netlink/client.ts";
import { NetlinkError } from "../netlink/errors.ts";
import { link } from "../netlink/route/link.ts";
import { linkFlags } from "../netlink/route/link-header.ts";
import { linksOf } from "../sysfs/pci.ts";
import { type Tree, until } from "../sysfs/tree.ts";

/** How long a link, or a name that another one has, is waited for: milliseconds. */
const patience = 5_000;

/**
 * The network links of the node's devices, in the namespace of the socket. Throws NetlinkErrors and
 * Errors.
 */
export class LinkRenamer {
  readonly #tree: Tree;
  readonly #rtnl: Netlink;

  constructor(tree: Tree, rtnl: Netlink) {
    this.#tree = tree;
    this.#rtnl = rtnl;
  }

  /** Gives the device's links these names, once its driver has made as many. */
  restore(device: string, names: readonly string[]): void {
    if (names.length === 0) return;
    if (!until(this.#tree, patience, () => linksOf(this.#tree, device).length >= names.length))
      throw new Error(`${device}: its driver made no network link, expected ${names.join(", ")}`);
    const found = linksOf(this.#tree, device);
    const nameless = names.filter((name) => !found.includes(name));
    for (const [position, old] of found.filter((name) => !names.includes(name)).entries()) {
      const name = nameless[position];
      if (name === undefined) return;
      const { index } = this.#rtnl.get(link, { name: old }, old);
      // A link's name can be changed only while it is down.
      this.#rtnl.set(link, { index, flags: 0, change: linkFlags.up }, old);
      this.#name(index, old, name);
    }
  }

  /** Whether the device has so many links, and none is up. One that is up is somebody's. */
  areIdle(device: string, count: number): boolean {
    const names = linksOf(this.#tree, device);
    return (
      names.length === count && names.every((name) => (this.#rtnl.get(link, { name }, name).flags & linkFlags.up) === 0)
    );
  }

  /**
   * Names a link that is down. Where another one has the name it is waited for, under one that
   * nobody wants (udev's): it may be waiting for this one's, which the kernel gave by chance.
   * Where that keeps the name, what the kernel gave has to do: a VF must not be lost for a name.
   */
  #name(index: number, old: string, name: string): void {
    const attempt = (wanted: string): boolean => {
      try {
        this.#rtnl.set(link, { index, name: wanted }, `${old} to ${wanted}`);
        return true;
      } catch (failure) {
        if (failure instanceof NetlinkError && failure.code === "EEXIST") return false;
        throw failure;
      }
    };
    if (attempt(name)) return;
    attempt(`rename${index}`);
    if (!until(this.#tree, patience, () => attempt(name))) attempt(old);
  }
}
