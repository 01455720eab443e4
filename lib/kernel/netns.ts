// One network namespace of the real kernel: what a plan is performed on.
import * as host from "host";
import { ignoring, isErrno, succeeds } from "../errno.ts";
import { FactError } from "../fact.ts";
import { throwAll } from "../failures.ts";
import { type Netlink, request } from "../netlink/client.ts";
import { type Body, families, type Message } from "../netlink/message.ts";
import { bridgePort } from "../netlink/route/bridge.ts";
import { type LinkMessage, link } from "../netlink/route/link.ts";
import { forwarding, neighbor, neighborFlags, neighborStates } from "../netlink/route/neighbor.ts";
import { route } from "../netlink/route/route.ts";
import { openRtnetlink } from "../netlink/socket.ts";
import type { Kernel } from "../plan/apply.ts";
import type { Scope } from "../plan/change.ts";
import { leadingOut } from "../plan/keys.ts";
import type { Neighbor, PortSettings, State } from "../plan/state.ts";
import type { Configuration, Step } from "../plan/step.ts";
import { routeText } from "../plan/words.ts";
import { assign, unassign } from "./assign.ts";
import { confineNow } from "./confinement.ts";
import { administrative, LinkMaker, setIpv6 } from "./link-maker.ts";
import { observeLinks } from "./observe.ts";
import { readSysctl, setSysctl } from "./sysctl.ts";

/** How long to wait for the carrier of a link. */
const carrierTimeoutMs = 1_000;

/** IF_OPER_* of <linux/if.h>. */
const operstates = { unknown: 0, up: 6 } as const;

/** The namespace that this thread is in. Its methods throw NetlinkErrors and HostErrors. */
export class NetnsKernel implements Kernel {
  /** The kernel's number of the namespace, unique until reboot. Undefined before Linux 5.14. */
  readonly cookie: string | undefined;
  readonly #rtnl: Netlink;
  readonly #links: LinkMaker;

  constructor() {
    const { rtnl, cookie } = openRtnetlink();
    this.#rtnl = rtnl;
    this.#links = new LinkMaker(rtnl);
    this.cookie = cookie;
  }

  close(): void {
    this.#rtnl.close();
  }

  observe({ links, detail, sysctls }: Scope): State {
    confineNow();
    const found: Record<string, string> = {};
    for (const key of sysctls) {
      const value = readSysctl(key);
      if (value !== undefined) found[key] = value;
    }
    const observed = links ? observeLinks(this.#rtnl, detail) : [];
    this.#links.learn(observed);
    return { links: observed, sysctls: found };
  }

  /**
   * Whether the kernel can create links of a kind. The kernel loads its module if there is one.
   *
   * Requests a link with an address that no link can have: the kernel looks for the kind first
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

  /** Whether a link of that name exists. */
  hasLink(name: string): boolean {
    confineNow();
    return succeeds(["ENODEV"], () => this.#links.index(name));
  }

  perform(step: Step): void {
    confineNow();
    switch (step.do) {
      case "create":
        return this.#links.create(step.link);
      case "delete":
        return this.#deleteLinks(step.links, step.mark);
      case "configure":
        return this.#configure(step.link, step.settings);
      case "port":
        return this.#setPort(step.link, step.port);
      case "ipv6":
        return setIpv6(step.link, step.on);
      case "assign":
        return assign(this.#rtnl, this.#links.index(step.link), step);
      case "unassign":
        return unassign(this.#rtnl, this.#links.index(step.link), step);
      case "addRoute":
        return this.#addRoute(step);
      case "removeRoute":
        return this.#delete(route, step.route, `route ${routeText(step.route)}`);
      case "addNeighbor":
        return this.#addNeighbor(step);
      case "removeNeighbor":
        return this.#delete(neighbor, { ...step.neighbor, index: this.#links.index(step.link) }, neighborText(step));
      case "sysctl":
        return setSysctl(step.key, step.value);
    }
  }

  /**
   * Waits until the kernel has noticed the carrier of a link that was set up. While it notices that
   * there was none, it deletes the entries that are not permanent (linkwatch, neigh_carrier_down).
   */
  #awaitCarrier(on: string): void {
    const end = host.monotonic() + carrierTimeoutMs;
    const isSeen = (): boolean => {
      const { operstate } = this.#rtnl.get(link, { index: this.#links.index(on) }, on);
      return operstate === operstates.up || operstate === operstates.unknown;
    };
    while (!isSeen() && host.monotonic() < end) host.sleep(10);
  }

  #addRoute({ link, route: wanted, isNew }: Step & { do: "addRoute" }): void {
    const body = leadingOut(wanted, this.#links.index(link));
    const subject = `route ${routeText(body)}`;
    if (succeeds(["EEXIST"], () => this.#rtnl.create(route, body, subject))) return;
    if (isNew) throw new FactError(`${link}: ${subject}`, excluded("route", "or choose another metric"));
    // When its preferred source is deleted, an IPv6 route stays without it.
    if (body.family === families.ipv6) this.#rtnl.replace(route, body, subject);
  }

  /** An entry that the kernel has learnt is replaced. */
  #addNeighbor({ link, neighbor: wanted, isNew }: Step & { do: "addNeighbor" }): void {
    const { state, flags, family, destination } = wanted;
    if ((state & neighborStates.permanent) === 0 && (flags & neighborFlags.proxy) === 0) this.#awaitCarrier(link);
    const body = { ...wanted, index: this.#links.index(link) };
    const subject = neighborText({ link, neighbor: wanted });
    if (succeeds(["EEXIST"], () => this.#rtnl.create(neighbor, body, subject))) return;
    const fixed = neighborStates.permanent | neighborStates.noArp;
    const present = this.#rtnl
      .dump(neighbor, { family })
      .find((one) => one.index === body.index && one.destination === destination);
    if (present === undefined || (present.state & fixed) === 0) this.#rtnl.replace(neighbor, body, subject);
    else if (isNew) throw new FactError(subject, excluded("entry", "first"));
  }

  /**
   * Deletes the object, unless it is missing. The kernel reports that by another errno for each of
   * routes, links, neighbours and addresses.
   */
  #delete<T>(message: Message<T>, body: Body<T>, subject: string): void {
    ignoring(["ESRCH", "ENODEV", "ENOENT", "EADDRNOTAVAIL"], () => this.#rtnl.delete(message, body, subject));
  }

  #deleteLinks(links: readonly string[], mark: number | undefined): void {
    const names = links.join(", ");
    if (mark !== undefined) return this.#delete(link, { group: mark }, names);
    for (const name of links) this.#delete(link, { name }, name);
  }

  #configure(on: string, { name, mac, mtu, master, up }: Configuration): void {
    const index = this.#links.index(on);
    const body = {
      index,
      name,
      mac,
      mtu,
      master: master === undefined ? undefined : master === null ? 0 : this.#links.index(master),
      ...(up !== undefined && administrative(up)),
    };
    this.#rtnl.set(link, body, on);
    if (name === undefined) return;
    this.#links.rename(on, name);
  }

  #setPort(on: string, { learning, isolated, vlans, stations }: PortSettings): void {
    const index = this.#links.index(on);
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
}

/** What is wrong if the kernel reports EEXIST for something new. */
function excluded(object: string, instead: string): string {
  return `the kernel has another ${object} for the same destination; remove it ${instead}`;
}

function neighborText({ link, neighbor }: { readonly link: string; readonly neighbor: Neighbor }): string {
  return `${link}: neighbor ${neighbor.destination}`;
}
