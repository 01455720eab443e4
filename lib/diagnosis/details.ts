// Describes links and VFs in a few words, for the picture and for the JSON document.
import { addressText, isIpv6LinkLocal } from "../plan/address.ts";
import type { PortVlan } from "../plan/state.ts";
import type { PodSurvey, SurveyedLink, SurveyedVf } from "./survey.ts";
import { type NicPath, recordedLink } from "./topology.ts";

/** Returns the links of a path, from the network to the guest. */
export function partsOf({ nic, bridge, tap, podLink }: NicPath): SurveyedLink[] {
  const parts = [nic, bridge, tap, podLink].filter((link) => link !== undefined);
  return [...new Set(parts)];
}

/** Returns what is special about a link, in addition to kind, state, MAC address and MTU. */
export function detailsOf(link: SurveyedLink, nicPath: NicPath, survey: PodSurvey): string[] {
  return [
    ...link.addresses.filter((address) => !isIpv6LinkLocal(address)).map(addressText),
    ...(link.up && !link.carrier && link !== nicPath.tap && link !== nicPath.bridge ? ["no carrier"] : []),
    ...(link.bridge?.vlanFiltering ? ["filters VLANs"] : []),
    ...(link.stp ? ["STP on"] : []),
    ...portDetails(link),
    ...tapDetails(link, nicPath, survey),
    ...(nicPath.kind === "bridge" && link === nicPath.podLink ? guestDetails(link, nicPath, survey) : []),
  ];
}

function portDetails({ master, port }: SurveyedLink): string[] {
  if (master === undefined) return [];
  return [
    `port of ${master}`,
    ...(port?.learning === false ? ["learning off"] : []),
    ...(port?.isolated ? ["isolated"] : []),
    ...(port && port.vlans.length > 0 ? [`VLANs ${port.vlans.map(vlanText).join(" ")}`] : []),
    ...(port?.stations ?? []).map((mac) => `leads to ${mac}`),
  ];
}

function vlanText({ first, last, pvid, untagged }: PortVlan): string {
  return `${first === last ? first : `${first}-${last}`}${untagged ? " untagged" : ""}${pvid && !untagged ? " PVID" : ""}`;
}

function tapDetails(
  { name, tap, carrier, queues }: SurveyedLink,
  { record }: NicPath,
  { holders }: PodSurvey,
): string[] {
  if (tap === undefined) return [];
  const open = holders.filter((holder) => holder.tap === name);
  // Only the record knows the label of a tap.
  const recorded = record && recordedLink(record, name);
  const context = recorded?.kind === "tap" ? recorded.tap.selinuxContext : undefined;
  return [
    ...(tap.owner === undefined ? [] : [`owner ${tap.owner}`]),
    ...(tap.group === undefined ? [] : [`group ${tap.group}`]),
    tap.multiQueue ? `multi-queue${queues === undefined ? "" : `, ${queues} open`}` : "single queue",
    ...(context === undefined ? [] : [`made under ${context}`]),
    open.length > 0
      ? `open in ${[...new Set(open.map(({ name, pid }) => `${name} (${pid})`))].join(", ")}`
      : carrier
        ? "open"
        : "not open",
  ];
}

function guestDetails({ mac }: SurveyedLink, { tap }: NicPath, { stations }: PodSurvey): string[] {
  return stations.some((station) => station.mac === mac && station.port === tap?.name)
    ? ["guest's address holder", `seen at ${tap!.name}`]
    : ["guest's address holder"];
}

/** Returns what is special about a VF. */
export function vfDetails({ driver, group, users, pf }: SurveyedVf): string[] {
  return [
    driver ?? "no driver",
    ...(group === undefined ? [] : [`IOMMU group ${group}`]),
    ...(pf?.settings ?? []),
    users.length > 0 ? `open in ${users.join(", ")}` : "not open",
  ];
}

/** Describes the sysctls that passt needs. */
export function passtDetails({ sysctls }: PodSurvey): string {
  const ports = sysctls["net.ipv4.ip_unprivileged_port_start"];
  const groups = sysctls["net.ipv4.ping_group_range"];
  return `unprivileged ports from ${ports ?? "?"}, pings for groups ${groups?.replace(" ", " to ") ?? "?"}`;
}
