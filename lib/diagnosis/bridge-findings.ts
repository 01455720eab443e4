// Checks a path with a bridge: network, NIC, bridge, tap, guest.
import { isIpv4Address, isIpv6Address, isIpv6LinkLocal } from "../plan/address.ts";
import type { ObservedTap } from "../plan/state.ts";
import type { InPod, Report } from "./finding.ts";
import type { PodSurvey } from "./survey.ts";
import { type NicPath, recordedLink } from "./topology.ts";

/** The user and the group of QEMU in KubeVirt. */
const launcher = 107;

/** BR_STATE_FORWARDING of <linux/if_bridge.h>. */
const forwardingState = 3;

/** The remedy if no command repairs the path. */
export const remake = "delete the pod, so that it is recreated";

/** The input of the checks of one path. */
export interface Look {
  readonly nicPath: NicPath;
  readonly survey: PodSurvey;
  readonly report: Report;
  readonly inPod: InPod;
}

/** Checks that the parts exist, have KubeVirt's names, and are connected. */
export function partsFindings({ nicPath, survey, report, inPod }: Look): void {
  const { names, bridge, nic, tap, podLink, kind, record } = nicPath;
  const isReady = kind === "prepared";
  const made = (name: string): boolean => record === undefined || recordedLink(record, name) !== undefined;
  if (!bridge) report("bridge-missing", names.bridge, "is missing: NIC and tap are not connected", remake);
  else if (!bridge.name.startsWith("k6t-"))
    report(
      "name-unexpected",
      bridge.name,
      "has a tap, and is not called k6t-… as KubeVirt's bridges are: no VM of KubeVirt's is wired by it",
      "find out who made it",
    );
  if (!nic && kind === "bridge" && bridge)
    report("nic-missing", names.nic, `is not there: ${names.bridge} does not lead to the network`, remake);
  if (!tap && !isReady && bridge)
    report(
      "tap-missing",
      names.tap,
      "is missing: the guest has no interface to attach to",
      made(names.tap) ? remake : "if the VM has started, see virt-handler's log; with managedTap it makes the tap",
    );
  if (!podLink)
    report(
      "pod-link-missing",
      names.podLink,
      "is not there: KubeVirt reads the guest's MAC address, MTU and addresses off it, and virt-launcher fails without it",
      remake,
    );
  for (const [link, due] of [
    [nic, names.nic],
    [tap, names.tap],
  ] as const) {
    if (!link || !bridge) continue;
    if (link.name !== due && bridge.name.startsWith("k6t-"))
      report(
        "name-unexpected",
        link.name,
        `is not called ${due}, as KubeVirt expects of ${names.podLink}'s`,
        [
          inPod`ip link set ${link.name} down`,
          inPod`ip link set ${link.name} name ${due}`,
          inPod`ip link set ${due} up`,
        ].join(" && "),
      );
    if (link.master !== bridge.name)
      report(
        "not-a-port",
        link.name,
        `is ${link.master === undefined ? "no bridge's port" : `a port of ${link.master}`}, not of ${bridge.name}`,
        inPod`ip link set ${link.name} master ${bridge.name}`,
      );
  }
  if (kind === "bridge" && podLink?.up)
    report(
      "placeholder-up",
      podLink.name,
      "is up: traffic the pod sends to the guest's network is routed into it and dropped",
      `${inPod`ip link set ${podLink.name} down`}  # its IPv6 addresses go with that: look again`,
    );
  if (nic?.port?.isolated && tap?.port?.isolated)
    report(
      "port-isolated",
      tap.name,
      `is isolated, and so is ${nic.name}: nothing passes between them`,
      inPod`bridge link set dev ${nic.name} isolated off`,
    );
  if (bridge?.stp)
    report(
      "stp-on",
      bridge.name,
      "STP is on: a port forwards nothing for 30 s after it comes up, and BPDUs may reach the network",
      inPod`ip link set ${bridge.name} type bridge stp_state 0`,
    );
  if (nic?.port?.learning && nic.master === bridge?.name && kind === "bridge")
    report(
      "learning-on",
      nic.name,
      "learning is on: if the network loops back a frame of the guest's, the bridge will send the guest's traffic out of this port",
      inPod`bridge link set dev ${nic.name} learning off`,
    );
  vlanFindings({ nicPath, survey, report, inPod });
}

/** Checks that the links of a path of any kind forward frames. */
export function stateFindings({ nicPath: { bridge, nic, tap, podLink, kind, names }, report, inPod }: Look): void {
  for (const link of [bridge, nic, tap, kind === "bridge" ? undefined : podLink]) {
    // An unused link may be down.
    if (link === undefined || (kind === "link" && link.addresses.length === 0)) continue;
    if (!link.up) report("link-down", link.name, "is down: no frame passes it", inPod`ip link set ${link.name} up`);
    else if (!link.carrier && link !== tap && link !== bridge)
      report(
        "no-carrier",
        link.name,
        "has no carrier: its other end, on the node, is down",
        `on the node: ip link set up what "ip link" shows as ${link.name}'s peer`,
      );
    else if (link.carrier && bridge?.up && link.master === bridge.name && link.portState !== forwardingState)
      report(
        "port-state",
        link.name,
        `is ${["disabled", "listening", "learning", "", "blocking"][link.portState ?? 0]} on ${names.bridge}, not forwarding`,
        `${inPod`ip link set ${names.bridge} type bridge stp_state 0`}; ${inPod`bridge link set dev ${link.name} state 3`}`,
      );
  }
}

function vlanFindings({ nicPath: { bridge, nic, tap, names }, report, inPod }: Look): void {
  if (!bridge?.bridge?.vlanFiltering || !nic?.port || !tap?.port) return;
  const upstream = nic.port.vlans;
  const gaps = tap.port.vlans.filter(
    ({ first, last }) => !upstream.some((other) => other.first <= first && last <= other.last),
  );
  for (const { first, last } of gaps) {
    const range = first === last ? `${first}` : `${first}-${last}`;
    const fact = `allows VLAN ${range}, but ${names.nic} does not: no traffic passes in that VLAN`;
    report("vlan-gap", tap.name, fact, inPod`bridge vlan add dev ${nic.name} vid ${range}`);
  }
  if (tap.port.vlans.length === 0)
    report("vlan-gap", tap.name, `is in no VLAN, and ${bridge.name} filters: the guest hears nothing`, remake);
}

/**
 * Checks that libvirt can open the tap as KubeVirt makes it do: tun_set_iff and tun_not_capable of
 * the kernel's drivers/net/tun.c.
 */
export function tapFindings({ nicPath: { tap, names, bridge }, survey, report }: Look): void {
  if (tap === undefined) return;
  if (tap.kind !== "tap") {
    report(
      "tap-type",
      tap.name,
      `is ${tap.kind === "" ? "a device" : `a ${tap.kind}`}, not a tap: libvirt refuses it`,
      remake,
    );
    return;
  }
  const { owner, group, multiQueue = false }: Partial<ObservedTap> = tap.tap ?? {};
  for (const [what, id] of [
    ["owner", owner],
    ["group", group],
  ] as const)
    if (id !== undefined && id !== launcher)
      report(
        "tap-owner",
        tap.name,
        `${what} is ${id}, not ${launcher}: virt-launcher is refused it`,
        `set ${what} to ${launcher} in the configuration, or leave it out, and delete the pod`,
      );
  if (tap.persist === false)
    report(
      "tap-persist",
      tap.name,
      "is not persistent: it is deleted when the process that opened it exits, so the VM cannot be restarted",
      remake,
    );
  const isOpen = tap.carrier || (tap.queues ?? 0) > 0;
  const others = survey.holders.filter((holder) => holder.tap !== tap.name);
  if (!isOpen && tap.up && others.length > 0 && bridge)
    report(
      "tap-unused",
      tap.name,
      `is not open, and ${others[0]!.name} (${others[0]!.pid}) has ${others[0]!.tap} open: the VM runs without this NIC`,
      multiQueue
        ? "a multi-queue tap serves VMs with networkInterfaceMultiqueue and two vCPUs or more: set queues to 1, or the VM so"
        : `a single-queue tap is refused for a VM with networkInterfaceMultiqueue: set queues in the configuration; or the VM has no NIC for ${names.podLink}`,
    );
  if (isOpen && tap.vnetHeader === false)
    report(
      "tap-offload",
      tap.name,
      "is open without vnet_hdr: segmentation and checksums are done by the CPU",
      "give the VM's interface the model virtio",
    );
}

/** Checks that the kernel forwards between the pod's link and KubeVirt's bridge. */
export function masqueradeFindings({ nicPath: { kind, podLink }, survey, report, inPod }: Look): void {
  if (kind !== "masquerade") return;
  for (const [key, is] of [
    ["net.ipv4.ip_forward", isIpv4Address],
    ["net.ipv6.conf.all.forwarding", isIpv6Address],
  ] as const)
    if (survey.sysctls[key] === "0" && podLink?.addresses.some((one) => !isIpv6LinkLocal(one) && is(one)))
      report("forwarding-off", key, "is 0: nothing passes between guest and network", inPod`sysctl -w ${key}=1`);
}

/** Checks every link, whatever it is attached to. */
export function linkFindings({ links }: PodSurvey, report: Report): void {
  for (const { name, duplicates } of links)
    for (const address of duplicates)
      report(
        "address-duplicate",
        name,
        `${address} is also used by another machine on the network (duplicate address detection)`,
        "find the other one by its MAC address: ip -6 neighbor, on another machine of the network",
      );
  const hashed = links.find(({ name }) => /^pod[0-9a-f]{11}$/.test(name));
  const ordinal = links.find(({ name }) => /^net\d+$/.test(name));
  if (hashed !== undefined && ordinal !== undefined)
    report(
      "name-ordinal",
      ordinal.name,
      `beside ${hashed.name}: with a link of such a name in the pod KubeVirt takes all names for those of before 1.0, and finds none of the others`,
      "find out which plugin made it; a binding plugin must not make CNI_IFNAME",
    );
}
