// What CHECK compares: the state that a plan ought to have produced with the one that the kernel shows.
import { addressText } from "./address.ts";
import type { ExpectedLink } from "./change.ts";
import type { Address, Link, PortVlan, State } from "./state.ts";

/**
 * Names each difference in the operator's words, such as `tap0: owner is 0, not 107`; nothing where all is as expected.
 * Only what the plan set is compared: routes, addresses and links that others added are theirs.
 */
export function differences(
  expected: { links: readonly ExpectedLink[]; sysctls: State["sysctls"] },
  observed: State,
): string[] {
  return [
    ...expected.links.flatMap((link) => linkDifferences(link, find(link, observed.links))),
    ...Object.entries(expected.sysctls).flatMap(([key, value]) =>
      compare(key, "", observed.sysctls[key] ?? "absent", value),
    ),
  ];
}

function find({ index, name }: ExpectedLink, links: readonly Link[]): Link | undefined {
  return links.find((link) => (index === undefined ? link.name === name : link.index === index));
}

function linkDifferences(expected: ExpectedLink, observed: Link | undefined): string[] {
  const { name } = expected;
  if (observed === undefined) return [`${name}: is missing`];
  return [
    ...compare(name, "name", observed.name, name),
    ...compare(name, "kind", observed.kind, expected.kind),
    ...compare(name, "link group", observed.mark, expected.mark),
    ...compare(name, "MAC", observed.mac, expected.mac),
    ...compare(name, "MTU", observed.mtu, expected.mtu),
    ...compare(name, "", observed.up ? "up" : "down", expected.up ? "up" : "down"),
    ...compare(name, "master", observed.master ?? "none", expected.master ?? "none"),
    ...compare(name, "IPv6", onOff(observed.ipv6), onOff(expected.ipv6)),
    ...compare(name, "owner", observed.tap?.owner, expected.tap?.owner),
    ...compare(name, "group", observed.tap?.group, expected.tap?.group),
    ...compare(name, "multi-queue", onOff(observed.tap?.multiQueue), onOff(expected.tap?.multiQueue)),
    ...compare(name, "VLAN filtering", onOff(observed.bridge?.vlanFiltering), onOff(expected.bridge?.vlanFiltering)),
    ...compare(name, "learning", onOff(observed.port?.learning), onOff(expected.port?.learning)),
    ...compare(name, "isolation", onOff(observed.port?.isolated), onOff(expected.port?.isolated)),
    ...compare(name, "VLANs", vlansText(observed.port?.vlans), vlansText(expected.port?.vlans)),
    ...(expected.port?.stations ?? [])
      .filter((mac) => !observed.port?.stations.includes(mac))
      .map((mac) => `${name}: forwarding entry ${mac} is missing`),
    ...missing(expected.addresses, observed.addresses).map(
      (address) => `${name}: address ${addressText(address)} is missing`,
    ),
  ];
}

/** `subject: what is OBSERVED, not EXPECTED`, where something is expected and is not so. */
function compare<T extends string | number>(
  subject: string,
  what: string,
  observed: T | undefined,
  expected: T | undefined,
): string[] {
  if (expected === undefined || observed === expected) return [];
  return [`${subject}: ${what === "" ? "" : `${what} `}is ${observed ?? "unknown"}, not ${expected}`];
}

function onOff(value: boolean | undefined): string | undefined {
  return value === undefined ? undefined : value ? "on" : "off";
}

/** As `bridge vlan` has it: `100 PVID untagged, 200-210`. */
function vlansText(vlans: readonly PortVlan[] | undefined): string | undefined {
  if (vlans === undefined) return undefined;
  if (vlans.length === 0) return "none";
  return vlans
    .map(
      ({ first, last, pvid, untagged }) =>
        `${first}${last === first ? "" : `-${last}`}${pvid ? " PVID" : ""}${untagged ? " untagged" : ""}`,
    )
    .join(", ");
}

function missing(expected: readonly Address[], observed: readonly Address[]): Address[] {
  return expected.filter((one) => !observed.some((other) => addressText(other) === addressText(one)));
}
