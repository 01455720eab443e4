// Checks what the guest is told: its MAC address, its MTU, its addresses.

import { addressText, isIpv4Address, isIpv6Address, isIpv6LinkLocal } from "../plan/address.ts";
import { linkChanges } from "../plan/change.ts";
import type { Address } from "../plan/state.ts";
import { type Look, remake } from "./bridge-findings.ts";
import { recordedLink } from "./topology.ts";

/** Checks that only the guest has its MAC address, and that the bridge sees it at the tap. */
export function macFindings({ nicPath, survey, report, inPod }: Look): void {
  const { bridge, nic, tap, podLink, kind } = nicPath;
  const guest = podLink?.mac;
  if (kind !== "bridge" || guest === undefined) return;
  const isMacvlan = nic?.kind === "macvlan";
  for (const link of [tap, bridge, ...(isMacvlan ? [] : [nic])])
    if (link?.mac === guest)
      report(
        "mac-doubled",
        link.name,
        `has the guest's MAC address ${guest}: the bridge delivers frames for the guest to itself`,
        inPod`ip link set ${link.name} address ${freeMac(guest)}`,
      );
  if (isMacvlan && nic.mac !== guest)
    report(
      "mac-macvlan",
      nic.name,
      `is a macvlan with the MAC address ${nic.mac}, not the guest's ${guest}: it is given no frames for the guest`,
      inPod`ip link set ${nic.name} address ${guest}`,
    );
  else if (isMacvlan && tap && !tap.port?.stations.includes(guest))
    report(
      "mac-macvlan",
      tap.name,
      `is not known to the bridge as where ${guest} is, which is the macvlan's too: frames stay in the bridge`,
      inPod`bridge fdb replace ${guest} dev ${tap.name} master static`,
    );
  if (tap === undefined) return;
  const seen = survey.stations.filter(({ port }) => port === tap.name).map(({ mac }) => mac);
  const outside = survey.stations.some(({ mac, port }) => mac === guest && port === nic?.name);
  if (outside)
    report(
      "mac-doubled",
      nic!.name,
      `brings frames from the guest's MAC address ${guest}: another machine on the network uses it, or loops the guest's frames back`,
      "find the other one by the switch's MAC table; after a migration, make sure that the source pod no longer exists",
    );
  else if (seen.length > 0 && !seen.includes(guest))
    report(
      "mac-unseen",
      tap.name,
      `the guest sends from ${seen.join(", ")}, not from ${guest}, which is what KubeVirt's DHCP answers`,
      "set the interface's macAddress in the VM, or the guest's network configuration, to the same one",
    );
}

/** Returns a locally administered address, for a command that the operator copies. */
function freeMac(mac: string): string {
  return `02${mac.slice(2, -2)}${mac.endsWith("fe") ? "fd" : "fe"}`;
}

/** Checks that frames as long as the guest's MTU pass all links. */
export function mtuFindings({ nicPath: { nic, bridge, tap, podLink, kind }, report, inPod }: Look): void {
  if (kind !== "bridge" || podLink === undefined) return;
  const ports = [nic, tap].filter((link) => link !== undefined);
  // A bridge has the smallest MTU of its ports, unless its MTU was set.
  const follows = ports.some(({ mtu }) => mtu === bridge?.mtu);
  for (const link of [...ports, ...(bridge && !follows ? [bridge] : [])])
    if (link.mtu < podLink.mtu)
      report(
        "mtu-shrinks",
        link.name,
        `has MTU ${link.mtu}, and the guest is told ${podLink.mtu}: longer frames are lost`,
        link === nic
          ? `set the network's MTU to ${podLink.mtu} and delete the pod, or set mtu to ${link.mtu} in the configuration`
          : inPod`ip link set ${link.name} mtu ${podLink.mtu}`,
      );
}

/** Checks that the pod's addresses are where KubeVirt reads them, and nowhere else. */
export function addressFindings({ nicPath, survey, report, inPod }: Look): void {
  const { bridge, nic, tap, podLink, kind, record, primary, names } = nicPath;
  if (kind !== "bridge" || podLink === undefined) return;
  const planned = record && recordedLink(record, podLink.name);
  const own = podLink.addresses.filter(isGlobal);
  for (const due of planned?.addresses.filter(isGlobal) ?? []) {
    const text = addressText(due);
    // An address with a lifetime may have expired.
    if (due.message.lifetime !== undefined || own.some((one) => addressText(one) === text)) continue;
    const isOff = isIpv6Address(due) && podLink.ipv6 === false;
    const again = inPod`ip address add ${text} dev ${podLink.name}`;
    report(
      isOff ? "ipv6-off" : "address-lost",
      podLink.name,
      `has lost ${text}${isOff ? ", because its disable_ipv6 is 1" : ""}: KubeVirt neither gives it to the guest nor reports it`,
      isOff ? `${inPod`sysctl -w net.ipv6.conf.${podLink.name}.disable_ipv6=0`}; ${again}` : again,
    );
  }
  // If the record has addresses that were not kept, the conf asked for that (keepPodAddresses).
  const had = linkChanges(record?.entry.changes ?? []).some(({ from }) => from.addresses.some(isGlobal));
  if (own.length === 0 && primary && !had && !planned?.addresses.some(isGlobal))
    report("address-none", names.podLink, "has no address: KubeVirt has none to give to the guest", remake);
  const guests = own.map((one) => addressText(one).split("/")[0]);
  for (const link of [nic, bridge, tap])
    for (const address of link?.addresses.filter(isGlobal) ?? []) {
      const text = addressText(address);
      const isGuests = guests.includes(text.split("/")[0]);
      if (!isGuests && isIpv4Address(address)) continue;
      report(
        isGuests ? "address-on-plumbing" : "address-learnt",
        link!.name,
        `has ${text}${isGuests ? ", the guest's: the pod answers in its place" : ", by a router's advertisement: KubeVirt may report it as the guest's"}`,
        isGuests
          ? inPod`ip address del ${text} dev ${link!.name}`
          : inPod`sysctl -w net.ipv6.conf.${link!.name}.disable_ipv6=1`,
      );
    }
  const ignored = survey.sysctls[arpIgnore];
  if (own.some(isIpv4Address) && ignored === "0")
    report(
      "arp-ignore",
      arpIgnore,
      `is 0: the pod answers ARP requests for ${guests[0]}, which is the guest's`,
      inPod`sysctl -w ${arpIgnore}=1`,
    );
}

const arpIgnore = "net.ipv4.conf.all.arp_ignore";

function isGlobal(address: Address): boolean {
  return !isIpv6LinkLocal(address);
}
