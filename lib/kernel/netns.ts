// One network namespace of the real kernel: what a plan is performed on.
import * as host from "host";
import { ignoring, isErrno } from "../errno.ts";
import { throwAll } from "../failures.ts";
import { networkOf } from "../net/ip.ts";
import { type Netlink, request } from "../netlink/client.ts";
import { type Body, families, type Message } from "../netlink/message.ts";
import { type AddressMessage, address, addressFlags } from "../netlink/route/address.ts";
import { bridgePort } from "../netlink/route/bridge.ts";
import { type LinkMessage, link } from "../netlink/route/link.ts";
import { linkFlags } from "../netlink/route/link-header.ts";
import { forwarding, neighbor, neighborFlags, neighborStates } from "../netlink/route/neighbor.ts";
import { route } from "../netlink/route/route.ts";
import { openRtnetlink } from "../netlink/socket.ts";
import { addressText } from "../plan/address.ts";
import type { Kernel } from "../plan/apply.ts";
import type { Scope } from "../plan/change.ts";
import type {
  Address,
  KernelRoute,
  Neighbor,
  NewBridge,
  NewDummy,
  NewLink,
  NewTap,
  PortSettings,
  State,
} from "../plan/state.ts";
import type { Configuration, Step } from "../plan/step.ts";
import { routeText } from "../plan/words.ts";
import { confineNow } from "./confinement.ts";
import { observeLinks } from "./observe.ts";
import { readSysctl, writeSysctl } from "./sysctl.ts";

/** RTPROT_KERNEL of <linux/rtnetlink.h>. */
const byKernel = 2;

/** How long to wait for the carrier of a link. */
const carrierTimeoutMs = 1_000;

/** IF_OPER_* of <linux/if.h>. */
const operstates = { unknown: 0, up: 6 } as const;

/** The highest index of a link: INT_MAX. */
const maxIndex = 0x7fff_ffff;

/** How long to wait for the kernel's route to the IPv6 peer of a new address. */
const peerRouteTimeoutMs = 1_000;

/** The namespace that this thread is in. Its methods throw NetlinkErrors and HostErrors. */
export class NetnsKernel implements Kernel {
  /**
   * The namespace's name in the kernel, which no other one will have before the next boot;
   * undefined before Linux 5.14.
   */
  readonly cookie: string | undefined;
  readonly #rtnl: Netlink;
  /** By name: asked for once. */
  readonly #indexes = new Map<string, number>();
  /**
   * An index that no link had when it was last looked, with room below for those that the kernel
   * gives next.
   */
  #free = 0;

  constructor() {
    const { rtnl, cookie } = openRtnetlink();
    this.#rtnl = rtnl;
    this.cookie = cookie;
  }

  close(): void {
    this.#rtnl.close();
  }

  observe({ links, sysctls }: Scope): State {
    confineNow();
    const found: Record<string, string> = {};
    for (const key of sysctls) {
      const value = readSysctl(key);
      if (value !== undefined) found[key] = value;
    }
    this.#indexes.clear();
    const observed = links ? observeLinks(this.#rtnl) : [];
    for (const { name, index } of observed) {
      this.#indexes.set(name, index);
      this.#free = Math.max(this.#free, index + 8);
    }
    // The kernel's choice, if there is no room above.
    if (this.#free > maxIndex - 1000) this.#free = 0;
    return { links: observed, sysctls: found };
  }

  /**
   * Whether the kernel can make links of a kind, such as `dummy`, loading its module if there is
   * one.
   * Asks for one with an address that no link can have: the kernel looks for the kind first
   * (rtnl_newlink).
   */
  has(kind: "bridge" | "dummy"): boolean {
    confineNow();
    try {
      const info: LinkMessage["info"] = kind === "bridge" ? { kind } : { kind };
      this.#rtnl.create(link, { mac: "00:00:00:00:00:00", info }, kind);
    } catch (failure) {
      if (isErrno(failure, "EOPNOTSUPP")) return false;
      if (!isErrno(failure, "EADDRNOTAVAIL")) throw failure;
    }
    return true;
  }

  /** Whether there is a link of that name. */
  hasLink(name: string): boolean {
    confineNow();
    return isDone(["ENODEV"], () => this.#index(name));
  }

  perform(step: Step): void {
    confineNow();
    switch (step.do) {
      case "create":
        return step.link.kind === "tap" ? this.#createTap(step.link) : this.#create(step.link);
      case "delete":
        return this.#delete(step.links, step.mark);
      case "configure":
        return this.#configure(step.link, step.settings);
      case "port":
        return this.#setPort(step.link, step.port);
      case "ipv6":
        return this.#setIpv6(step.link, step.on);
      case "assign":
        return this.#assign(step.link, step.address, step.settled);
      case "unassign":
        return this.#take(address, this.#on(step.link, step.address), `${step.link}: ${addressText(step.address)}`);
      case "addRoute":
        return this.#addRoute(step.route);
      case "removeRoute":
        return this.#take(route, step.route, `route ${routeText(step.route)}`);
      case "addNeighbor":
        if ((step.neighbor.state & neighborStates.permanent) === 0) this.#awaitCarrier(step.link);
        return this.#give(neighbor, { ...step.neighbor, index: this.#index(step.link) }, neighborText(step));
      case "removeNeighbor":
        return this.#take(neighbor, { ...step.neighbor, index: this.#index(step.link) }, neighborText(step));
      case "sysctl":
        return writeSysctl(step.key, step.value);
    }
  }

  /**
   * Waits until the kernel has seen the carrier of a link that was set up: it deletes the entries
   * that are not permanent when it sees that there was none (linkwatch, neigh_carrier_down).
   */
  #awaitCarrier(on: string): void {
    const end = host.monotonic() + carrierTimeoutMs;
    const isSeen = (): boolean => {
      const { operstate } = this.#rtnl.get(link, { index: this.#index(on) }, on);
      return operstate === operstates.up || operstate === operstates.unknown;
    };
    while (!isSeen() && host.monotonic() < end) host.sleep(10);
  }

  #addRoute(body: KernelRoute): void {
    const subject = `route ${routeText(body)}`;
    // Where its preferred source went, an IPv6 route has stayed, without it.
    if (isDone(["EEXIST"], () => this.#rtnl.create(route, body, subject)) || body.family !== families.ipv6) return;
    this.#rtnl.replace(route, body, subject);
  }

  /** Makes it, unless it is there. */
  #give<T>(message: Message<T>, body: Body<T>, subject: string): void {
    ignoring(["EEXIST"], () => this.#rtnl.create(message, body, subject));
  }

  /**
   * Deletes it, unless it is gone: of a route, a link, a neighbour and an address the kernel says
   * so in four ways.
   */
  #take<T>(message: Message<T>, body: Body<T>, subject: string): void {
    ignoring(["ESRCH", "ENODEV", "ENOENT", "EADDRNOTAVAIL"], () => this.#rtnl.delete(message, body, subject));
  }

  #create(made: NewBridge | NewDummy): void {
    const { name, mac, mtu, mark, up, ipv6 } = made;
    // A bridge without ports has no carrier, and takes no link-local address before IPv6 is off.
    const body = { name, mac, mtu, group: mark, info: infoOf(made), ...administrative(up) };
    try {
      this.#createWithIndex(body);
    } catch (failure) {
      if (!isFiltering(made) || !isErrno(failure, "EOPNOTSUPP")) throw failure;
      const words = `${name}: the kernel's bridges do not filter VLANs (CONFIG_BRIDGE_VLAN_FILTERING), which vlan and vlanTrunk need`;
      throw new Error(words, { cause: failure });
    }
    this.#setIpv6(name, ipv6);
    this.#setOwn(made);
  }

  /** An index of our choice saves asking for it, unless someone else has just taken it. */
  #createWithIndex(body: Body<LinkMessage> & { readonly name: string }): void {
    const { name } = body;
    const index = this.#free++;
    if (index > 0 && isDone(["EBUSY", "EEXIST"], () => this.#rtnl.create(link, { ...body, index }, name)))
      this.#indexes.set(name, index);
    else this.#rtnl.create(link, body, name);
  }

  /** The tap outlives a killed process only once it carries its mark. */
  #createTap(made: NewTap): void {
    const { name, mac, mtu, mark, up, ipv6, master, tap } = made;
    const { owner, group, multiQueue, selinuxContext } = tap;
    const fd = host.createTap(name, { multiQueue, ...(selinuxContext !== undefined && { selinuxContext }) });
    try {
      // While the descriptor is open the tap has a carrier: off before it is up.
      this.#setIpv6(name, ipv6);
      const index = master === undefined ? undefined : this.#index(master);
      this.#rtnl.set(link, { name, mac, mtu, group: mark, master: index, ...administrative(up) }, name);
      this.#setOwn(made);
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

  #setIpv6(name: string, on: boolean | undefined): void {
    if (on !== undefined) writeSysctl(`net.ipv6.conf.${name}.disable_ipv6`, on ? "0" : "1");
  }

  #setOwn({ sysctls }: NewLink): void {
    for (const [key, value] of Object.entries(sysctls ?? {})) writeSysctl(key, value);
  }

  #delete(links: readonly string[], mark: number | undefined): void {
    const names = links.join(", ");
    if (mark !== undefined) return this.#take(link, { group: mark }, names);
    for (const name of links) this.#take(link, { name }, name);
  }

  #configure(on: string, { name, mac, mtu, master, up }: Configuration): void {
    const index = this.#index(on);
    const body = {
      index,
      name,
      mac,
      mtu,
      master: master === undefined ? undefined : master === null ? 0 : this.#index(master),
      ...(up !== undefined && administrative(up)),
    };
    this.#rtnl.set(link, body, on);
    if (name === undefined) return;
    this.#indexes.delete(on);
    this.#indexes.set(name, index);
  }

  #setPort(on: string, { learning, isolated, vlans, stations }: PortSettings): void {
    const index = this.#index(on);
    const afSpec = vlans.length > 0 ? { vlans } : undefined;
    const outcomes = this.#rtnl.batch([
      request("set", bridgePort, { index, settings: { learning, isolated }, afSpec }, `${on} as a port`),
      ...stations.map((mac) => {
        const entry = { index, mac, state: neighborStates.noArp, flags: neighborFlags.master };
        return request("replace", forwarding, entry, `${on}: forwarding entry ${mac}`);
      }),
    ]);
    throwAll(outcomes.filter((failure) => failure !== undefined));
  }

  #assign(on: string, wanted: Address, settled: boolean): void {
    const { message, prefixRoute } = wanted;
    const body = this.#on(on, wanted);
    const subject = `${on}: ${addressText(wanted)}`;
    const detected = settled && message.family === families.ipv6 && (message.flags & addressFlags.noDad) === 0;
    // What was in use already needs no duplicate address detection, which would leave it useless
    // for a second, and refused as the source of routes.
    const flags = detected ? message.flags | addressFlags.noDad : message.flags;
    const isNew = isDone(["EEXIST"], () => this.#rtnl.create(address, { ...body, flags }, subject));
    // Also where an earlier call came just so far.
    if (detected || !isNew) this.#rtnl.replace(address, body, subject);
    if (!prefixRoute) this.#dropPrefixRoute(body, subject);
  }

  #dropPrefixRoute({ family, index, address, local, prefixLength }: AddressMessage, subject: string): void {
    const destination = networkOf(address ?? local ?? "", prefixLength);
    const body = { family, destination, destinationLength: prefixLength, oif: index, protocol: byKernel, table: 254 };
    // RT_SCOPE_NOWHERE: whichever scope the route has.
    const drop = (): boolean =>
      isDone(["ESRCH", "ENODEV"], () =>
        this.#rtnl.delete(route, { ...body, scope: 255 }, `${subject}: route to its network`),
      );
    // The kernel adds the route to an IPv6 peer from a work queue (addrconf_dad_work), after it has
    // acknowledged the address.
    const isLate = family === families.ipv6 && local !== undefined && local !== address;
    const end = host.monotonic() + (isLate ? peerRouteTimeoutMs : 0);
    while (!drop() && host.monotonic() < end) host.sleep(2);
  }

  #on(name: string, { message }: Address): AddressMessage {
    return { ...message, index: this.#index(name) };
  }

  #index(name: string): number {
    let index = this.#indexes.get(name);
    if (index === undefined) {
      index = this.#rtnl.get(link, { name }, name).index;
      this.#indexes.set(name, index);
    }
    return index;
  }
}

function infoOf(made: NewBridge | NewDummy): NonNullable<LinkMessage["info"]> {
  const { kind } = made;
  switch (kind) {
    case "bridge": {
      // A port must be in no VLAN that was not asked for.
      const vlans = isFiltering(made) && { vlanFiltering: true, defaultPvid: 0 };
      // Between two ports there is nothing to snoop for.
      return { kind, data: { multicastSnooping: false, ...vlans } };
    }
    case "dummy":
      return { kind };
  }
}

function isFiltering(made: NewBridge | NewDummy): boolean {
  return made.kind === "bridge" && made.bridge?.vlanFiltering === true;
}

function administrative(up: boolean): { flags: number; change: number } {
  return { flags: up ? linkFlags.up : 0, change: linkFlags.up };
}

/** Returns whether `work` was done: false if it failed with one of these errnos. */
function isDone(codes: readonly string[], work: () => unknown): boolean {
  return (
    ignoring(codes, () => {
      work();
      return true;
    }) ?? false
  );
}

function neighborText({ link, neighbor }: { readonly link: string; readonly neighbor: Neighbor }): string {
  return `${link}: neighbor ${neighbor.destination}`;
}
