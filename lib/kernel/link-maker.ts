// Creates links in the namespace that this thread is in, and knows the links' indexes.
import * as host from "host";
import { isErrno, succeeds } from "../errno.ts";
import type { Netlink } from "../netlink/client.ts";
import type { Body } from "../netlink/message.ts";
import { type LinkMessage, link } from "../netlink/route/link.ts";
import { linkFlags } from "../netlink/route/link-header.ts";
import type { NewBridge, NewDummy, NewLink, NewTap } from "../plan/state.ts";
import { writeSysctl } from "./sysctl.ts";

/** The highest index of a link: INT_MAX. */
const maxIndex = 0x7fff_ffff;

export class LinkMaker {
  readonly #rtnl: Netlink;
  /** By name. Each index is requested once. */
  readonly #indexes = new Map<string, number>();
  /** An index above those of all links. It leaves room for the indexes that the kernel picks. */
  #free = 0;

  constructor(rtnl: Netlink) {
    this.#rtnl = rtnl;
  }

  /** Learns the indexes of all links. */
  learn(links: readonly { readonly name: string; readonly index: number }[]): void {
    this.#indexes.clear();
    for (const { name, index } of links) {
      this.#indexes.set(name, index);
      this.#free = Math.max(this.#free, index + 8);
    }
    // Without room above, the kernel picks the index.
    if (this.#free > maxIndex - 1000) this.#free = 0;
  }

  /** Returns the index of a link. Throws ENODEV if there is none of that name. */
  index(name: string): number {
    let index = this.#indexes.get(name);
    if (index === undefined) {
      index = this.#rtnl.get(link, { name }, name).index;
      this.#indexes.set(name, index);
    }
    return index;
  }

  /** Learns that a link was renamed. */
  rename(from: string, to: string): void {
    const index = this.index(from);
    this.#indexes.delete(from);
    this.#indexes.set(to, index);
  }

  create(wanted: NewLink): void {
    if (wanted.kind === "tap") this.#createTap(wanted);
    else this.#createOther(wanted);
  }

  #createOther(wanted: NewBridge | NewDummy): void {
    const { name, mac, mtu, mark, up, ipv6 } = wanted;
    // A bridge without ports has no carrier, and gets no link-local address before IPv6 is off.
    const body = { name, mac, mtu, group: mark, info: infoOf(wanted), ...administrative(up) };
    try {
      this.#createWithIndex(body);
    } catch (failure) {
      if (!isFiltering(wanted) || !isErrno(failure, "EOPNOTSUPP")) throw failure;
      const words = `${name}: the kernel's bridges do not filter VLANs (CONFIG_BRIDGE_VLAN_FILTERING), which vlan and vlanTrunk need`;
      throw new Error(words, { cause: failure });
    }
    setIpv6(name, ipv6);
    setSysctls(wanted);
  }

  /** An index of our choice saves a request for it, unless another process has just taken it. */
  #createWithIndex(body: Body<LinkMessage> & { readonly name: string }): void {
    const { name } = body;
    const index = this.#free++;
    if (index > 0 && succeeds(["EBUSY", "EEXIST"], () => this.#rtnl.create(link, { ...body, index }, name)))
      this.#indexes.set(name, index);
    else this.#rtnl.create(link, body, name);
  }

  /** The tap outlives a killed process only after it got its mark. */
  #createTap(wanted: NewTap): void {
    const { name, mac, mtu, mark, up, ipv6, master, tap } = wanted;
    const { owner, group, multiQueue, selinuxContext } = tap;
    const fd = host.createTap(name, { multiQueue, ...(selinuxContext !== undefined && { selinuxContext }) });
    try {
      // While the descriptor is open, the tap has a carrier. Therefore IPv6 is off before it is up.
      setIpv6(name, ipv6);
      const index = master === undefined ? undefined : this.index(master);
      this.#rtnl.set(link, { name, mac, mtu, group: mark, master: index, ...administrative(up) }, name);
      setSysctls(wanted);
      try {
        host.persistTap(fd, { owner, group });
      } catch (failure) {
        const { message, code, syscall } = failure as host.HostError;
        // EINVAL: the user namespace of the plugin does not map the IDs.
        throw Object.assign(new Error(`${name}: owner ${owner}, group ${group}: ${message}`), { code, syscall });
      }
    } finally {
      host.close(fd);
    }
  }
}

/** Returns the flags and their mask for a link that is up or down. */
export function administrative(up: boolean): { flags: number; change: number } {
  return { flags: up ? linkFlags.up : 0, change: linkFlags.up };
}

/** Switches IPv6 of a link on or off. Leaves it as it is for undefined. */
export function setIpv6(name: string, on: boolean | undefined): void {
  if (on !== undefined) writeSysctl(`net.ipv6.conf.${name}.disable_ipv6`, on ? "0" : "1");
}

function setSysctls({ sysctls }: NewLink): void {
  for (const [key, value] of Object.entries(sysctls ?? {})) writeSysctl(key, value);
}

function infoOf(wanted: NewBridge | NewDummy): NonNullable<LinkMessage["info"]> {
  const { kind } = wanted;
  switch (kind) {
    case "bridge": {
      // A port is in no VLAN that the configuration does not name.
      const vlans = isFiltering(wanted) && { vlanFiltering: true, defaultPvid: 0 };
      // Snooping between two ports is useless.
      return { kind, data: { multicastSnooping: false, ...vlans } };
    }
    case "dummy":
      return { kind };
  }
}

function isFiltering(wanted: NewBridge | NewDummy): boolean {
  return wanted.kind === "bridge" && wanted.bridge?.vlanFiltering === true;
}
