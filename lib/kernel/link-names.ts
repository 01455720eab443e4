// Restores the names of a device's network links: a driver that creates them again may choose other
// names.
import type { Netlink } from "../netlink/client.ts";
import { NetlinkError } from "../netlink/errors.ts";
import { link } from "../netlink/route/link.ts";
import { linkFlags } from "../netlink/route/link-header.ts";
import { linksOf } from "../sysfs/pci.ts";
import { type Tree, until } from "../sysfs/tree.ts";

/** How long to wait for a link, or for a name that another link has. */
const linkTimeoutMs = 5_000;

/**
 * Renames the network links of the node's devices, in the namespace of the socket. Throws
 * NetlinkErrors and Errors.
 */
export class LinkRenamer {
  readonly #tree: Tree;
  readonly #rtnl: Netlink;

  constructor(tree: Tree, rtnl: Netlink) {
    this.#tree = tree;
    this.#rtnl = rtnl;
  }

  /** Renames the device's links once its driver has created all of them. */
  restore(device: string, names: readonly string[]): void {
    if (names.length === 0) return;
    if (!until(this.#tree, linkTimeoutMs, () => linksOf(this.#tree, device).length >= names.length))
      throw new Error(`${device}: its driver made no network link, expected ${names.join(", ")}`);
    const found = linksOf(this.#tree, device);
    const nameless = names.filter((name) => !found.includes(name));
    for (const [position, old] of found.filter((name) => !names.includes(name)).entries()) {
      const name = nameless[position];
      if (name === undefined) return;
      const { index } = this.#rtnl.get(link, { name: old }, old);
      // The kernel renames only a link that is down.
      this.#rtnl.set(link, { index, flags: 0, change: linkFlags.up }, old);
      this.#name(index, old, name);
    }
  }

  /** Whether the device has this number of links and none is up. A link that is up is in use. */
  areIdle(device: string, count: number): boolean {
    const names = linksOf(this.#tree, device);
    return (
      names.length === count && names.every((name) => (this.#rtnl.get(link, { name }, name).flags & linkFlags.up) === 0)
    );
  }

  /**
   * Renames a link that is down.
   *
   * If the name is taken, parks the link under a temporary name (as udev does) and retries: the
   * other link may be waiting for the name that this one holds. If the name stays taken, the link
   * keeps the name from the kernel, because a VF must not be lost for a name.
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
    if (!until(this.#tree, linkTimeoutMs, () => attempt(name))) attempt(old);
  }
}
