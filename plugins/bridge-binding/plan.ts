// Plans what bridge-binding does to a pod: the pod's link becomes a port of an in-pod bridge, next
// to a tap for the guest, and a placeholder takes its name.
import type { LinkNames } from "../../lib/kubevirt/names.ts";
import { addressText, isIpv4Address, isIpv6Address, isIpv6LinkLocal } from "../../lib/plan/address.ts";
import type { Change, CreateLink } from "../../lib/plan/change.ts";
import { isMark, markOf } from "../../lib/plan/mark.ts";
import { address, changed, settingsOf, sysctl } from "../../lib/plan/objects.ts";
import type { Address, NewBridge, NewDummy, NewTap, ObservedLink, PortSettings, State } from "../../lib/plan/state.ts";
import { largestTapMtu, leastIpv6Mtu } from "./limits.ts";
import type { Conf } from "./netconf.ts";
import { vlansOf } from "./vlans.ts";

/** The input of the plan. */
export interface Situation {
  readonly conf: Conf;
  readonly names: LinkNames;
  /** The observed state of the namespace. */
  readonly state: State;
  /** The MAC address of bridge and NIC, and that of the tap. Both are unique. */
  readonly bridgeMac: string;
  readonly tapMac: string;
  /** The MAC address that the call asks for. */
  readonly guestMac?: string;
  /** Whether the node has SELinux. */
  readonly selinux: boolean;
  /** The kind of the placeholder: `dummy`, or `bridge` if the kernel has no dummy links. */
  readonly placeholder: "dummy" | "bridge";
}

const arpIgnore = "net.ipv4.conf.all.arp_ignore";

/**
 * Whether bridged frames pass the pod's own firewall (module br_netfilter). The guest's frames are
 * not the pod's.
 */
const bridgeFirewall = ["arptables", "ip6tables", "iptables"].map((name) => `net.bridge.bridge-nf-call-${name}`);

/** The sysctls that a plan reads. */
export const sysctls = [arpIgnore, ...bridgeFirewall];

/** Returns the reasons why the pod link cannot be bound, each with what to do. Empty if it can. */
export function obstacles(situation: Situation): string[] {
  const { conf, names, state } = situation;
  const link = state.links.find(({ name }) => name === names.podLink);
  if (link === undefined)
    return [`${names.podLink}: is not in the namespace, which has ${state.links.map(({ name }) => name).join(", ")}`];
  const made = conf.attachment === "tap" ? [names.bridge, names.nic, names.tap] : [names.bridge];
  const ipv6 = link.addresses.find((address) => isIpv6Address(address) && !isIpv6LinkLocal(address));
  const mtu = conf.mtu ?? mtuOf(link);
  const faults: (string | false | undefined)[] = [
    link.kind === "ipvlan" &&
      `${link.name}: is an ipvlan, which shares its parent's MAC address: a guest behind it cannot be reached; use a macvlan or a bridge network`,
    link.mac === undefined && `${link.name}: is not an Ethernet link`,
    link.master !== undefined && `${link.name}: is already a port of ${link.master}`,
    link.uppers !== undefined && `${link.name}: cannot be a bridge port: ${link.uppers.join(", ")} is on top of it`,
    link.standing !== undefined &&
      `${link.name}: ${link.standing.join(", ")} stands on it, and would lose its addresses and routes; remove it first`,
    link.nexthops !== undefined &&
      `${link.name}: the nexthop objects ${link.nexthops.join(", ")} lead out of it, and cannot be restored; remove them first`,
    isOurs(link) && `${link.name}: is the placeholder of a link that is bound already; DEL that attachment first`,
    ...state.links.map(
      (other) =>
        made.includes(other.name) &&
        `${other.name}: name in use by a ${other.kind || "device"} ${isOurs(other) ? "of another attachment; if its record is lost, delete the pod" : "that is not ours"}`,
    ),
    ...state.links.map(({ name, otherNames = [] }) => {
      const taken = made.find((wanted) => otherNames.includes(wanted));
      return taken !== undefined && `${taken}: name in use: it is an alternative name of ${name}`;
    }),
    ...link.routes.map(
      ({ destination = "default", nexthop }) =>
        nexthop !== undefined &&
        `${link.name}: its route to ${destination} uses the nexthop object ${nexthop}, which cannot be restored`,
    ),
    conf.mtu !== undefined &&
      conf.mtu > link.mtu &&
      `mtu: ${conf.mtu} is more than the ${link.mtu} of ${link.name}; frames would be lost`,
    mtu < leastIpv6Mtu &&
      conf.keepPodAddresses &&
      ipv6 !== undefined &&
      `${conf.mtu === undefined ? `${link.name}: the MTU ${mtu} of a route` : `mtu: ${mtu}`} is less than ${leastIpv6Mtu}, the least for IPv6, and ${link.name} has ${addressText(ipv6)}`,
    conf.attachment === "tap" &&
      mtu > largestTapMtu &&
      `${link.name}: its MTU ${link.mtu} is more than the ${largestTapMtu} that a tap can have; set mtu`,
    conf.selinuxContext !== undefined && !situation.selinux && "selinuxContext: the node has no SELinux; leave it out",
  ];
  return faults.filter((fault): fault is string => typeof fault === "string");
}

/** Whether the link has the mark of one of our plans. */
function isOurs({ mark }: ObservedLink): boolean {
  return isMark(mark);
}

/** Returns the changes that ADD makes. There must be no {@link obstacles}. */
export function plan(situation: Situation): Change[] {
  const { conf, names, state } = situation;
  const nic = state.links.find(({ name }) => name === names.podLink)!;
  const changes = conf.attachment === "tap" ? withTap(situation, nic) : [bridge(situation, nic)];
  const ignored = state.sysctls[arpIgnore];
  // The pod must not answer ARP requests for the guest's address, which the kernel still has on the
  // placeholder. The bridge has its own setting; of the two, the larger one counts. KubeVirt sets
  // this one.
  if (nic.addresses.some(isIpv4Address) && ignored !== undefined)
    changes.push(sysctl(arpIgnore, arpIgnoreFor(ignored), state));
  for (const key of bridgeFirewall) if (state.sysctls[key] !== undefined) changes.push(sysctl(key, "0", state));
  return changes;
}

/** 8: answers no ARP request. Larger values mean nothing, and hide the bridge's own 8. */
const noArp = 8;

function arpIgnoreFor(present: string): string {
  if (present === "0") return "1";
  return Number(present) > noArp ? `${noArp}` : present;
}

function withTap(situation: Situation, nic: ObservedLink): Change[] {
  const { conf, names } = situation;
  const guestMac = situation.guestMac ?? nic.mac!;
  // A macvlan receives only the frames for its own MAC address, so it keeps the guest's address,
  // and the bridge gets a forwarding entry for the guest.
  // So does a NIC: a VF, or that of a cloud, whose switch knows no other address.
  const macvlan = nic.kind === "macvlan" || nic.parent !== undefined;
  // While it is a port, the kernel keeps IPv6's MTU at the link's.
  const { ipv6Mtu: _, ...kept } = nic;
  const enslaved = changed(kept, {
    name: names.nic,
    mac: macvlan ? guestMac : situation.bridgeMac,
    up: true,
    master: names.bridge,
    ...(nic.ipv6 !== undefined && { ipv6: false }),
    port: port({ learning: false, vlans: vlansOf(conf).upstream }),
    addresses: [],
    routes: [],
    neighbors: [],
  });
  return [
    bridge(situation, nic),
    { ...enslaved, from: settingsOf(nic) },
    { do: "create", link: tap(situation, nic, macvlan ? [guestMac] : []) },
    { do: "create", link: placeholder(situation, nic, guestMac) },
  ];
}

function port({ learning = true, isolated = false, vlans = [], stations = [] }: Partial<PortSettings>): PortSettings {
  return { learning, isolated, vlans, stations };
}

function bridge(situation: Situation, nic: ObservedLink): CreateLink {
  const { conf, names, bridgeMac } = situation;
  const own = bridgeAddress(situation, nic);
  return {
    do: "create",
    link: {
      ...made(nic, conf),
      name: names.bridge,
      kind: "bridge",
      mac: bridgeMac,
      bridge: { vlanFiltering: vlansOf(conf).guest.length > 0 },
      sysctls: {
        // Otherwise inherited from the node's `default`, as are those of every new link.
        [`net.ipv4.conf.${names.bridge}.arp_ignore`]: `${noArp}`,
        [`net.ipv4.conf.${names.bridge}.forwarding`]: "0",
        [`net.ipv4.conf.${names.bridge}.proxy_arp`]: "0",
      },
      addresses: own === undefined ? [] : [own],
    },
  };
}

function tap({ conf, names, tapMac }: Situation, nic: ObservedLink, stations: readonly string[]): NewTap {
  const plain = !conf.portIsolation && vlansOf(conf).guest.length === 0 && stations.length === 0;
  return {
    ...made(nic, conf),
    name: names.tap,
    kind: "tap",
    mac: tapMac,
    master: names.bridge,
    tap: {
      owner: conf.owner,
      group: conf.group,
      multiQueue: conf.queues > 1,
      ...(conf.selinuxContext !== undefined && { selinuxContext: conf.selinuxContext }),
    },
    ...(!plain && { port: port({ isolated: conf.portIsolation, vlans: vlansOf(conf).guest, stations }) }),
  };
}

/** Whether the guest can have the address: it is no link-local one, and no other host has it. */
function isUsable(address: Address): boolean {
  return !isIpv6LinkLocal(address) && address.duplicate !== true;
}

/**
 * KubeVirt reads the guest's MAC address, MTU and addresses from this link. It is down, so that no
 * traffic uses it.
 */
function placeholder({ conf, names, placeholder }: Situation, nic: ObservedLink, mac: string): NewBridge | NewDummy {
  const addresses = conf.keepPodAddresses ? nic.addresses.filter(isUsable) : [];
  return {
    ...made(nic, conf),
    name: names.podLink,
    kind: placeholder,
    mac,
    up: false,
    ...(addresses.some(isIpv6Address) && { ipv6: true }),
    addresses: addresses.map(({ message }) => ({ message, prefixRoute: true })),
  };
}

/**
 * Returns the MTU that the guest can use: the link's, or that of a default or on-link route if it
 * is smaller. Networks with tunnels set it at the route (Cilium, GKE).
 */
function mtuOf({ index, mtu, routes }: ObservedLink): number {
  const limits = routes
    .filter(({ oif, hops }) => oif === index || hops?.some((hop) => hop.index === index))
    .filter(({ destinationLength, gateway, via, hops }) => destinationLength === 0 || (!gateway && !via && !hops))
    .flatMap(({ metrics }) => (metrics?.mtu === undefined ? [] : [metrics.mtu]));
  return Math.min(mtu, ...limits);
}

/** Returns what all created links have in common. */
function made(
  nic: ObservedLink,
  conf: Conf,
): Pick<NewDummy, "mark" | "mtu" | "up" | "ipv6" | "addresses" | "routes" | "neighbors"> {
  const mtu = conf.mtu ?? mtuOf(nic);
  return {
    mark: markOf(nic.index),
    mtu,
    up: true,
    ...(nic.ipv6 !== undefined && mtu >= leastIpv6Mtu && { ipv6: false }),
    addresses: [],
    routes: [],
    neighbors: [],
  };
}

/**
 * Returns the first free one of KubeVirt's addresses 169.254.75.10, .11, .... KubeVirt has one for
 * each of a pod's networks (getFakeBridgeIP), and does not tell a plugin which.
 */
function bridgeAddress({ conf, state }: Situation, nic: ObservedLink): Address | undefined {
  if (conf.bridgeAddress === "none" || (conf.bridgeAddress === "auto" && conf.attachment !== "tap")) return undefined;
  if (conf.bridgeAddress !== "auto") return address(conf.bridgeAddress);
  if (!nic.addresses.some(isIpv4Address)) return undefined;
  const taken = new Set(state.links.flatMap(({ addresses }) => addresses.map(addressText)));
  for (let n = 0; n < 100; n++) {
    const text = `169.254.75.1${n}/32`;
    if (!taken.has(text)) return address(text);
  }
  return undefined;
}
