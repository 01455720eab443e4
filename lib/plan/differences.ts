// Compares the state that a plan should have produced with the state that the kernel shows. CHECK
// uses it.
import type { Fact } from "../fact.ts";
import { families } from "../netlink/message.ts";
import { neighborStates } from "../netlink/route/neighbor.ts";
import { routeFlags } from "../netlink/route/route.ts";
import { shellWord } from "../shell.ts";
import { addressText } from "./address.ts";
import type { Expectation, ExpectedLink } from "./change.ts";
import { absent, addressKey, neighborKey, routeKey } from "./keys.ts";
import type { KernelRoute, Neighbor, ObservedLink, PortVlan, State } from "./state.ts";
import { neighborText, routeText } from "./words.ts";

/** RT_TABLE_MAIN, RTN_UNICAST and RT_SCOPE_LINK of <linux/rtnetlink.h>. */
const [mainTable, unicast, linkScope] = [254, 1, 253];

/** One difference between a plan and the observed state. */
export interface Difference extends Fact {
  /**
   * The command that repairs it, in the pod's namespace. Absent: only a new ADD repairs it.
   */
  readonly repair?: string;
}

/**
 * Compares only what the plan set. Routes, addresses, neighbours and links that other processes
 * added are ignored.
 */
export function differences(expected: Expectation, observed: State): Difference[] {
  return [
    ...expected.links.flatMap((link) => {
      const found = find(link, observed.links);
      if (found === undefined) return [{ subject: link.name, fact: "is missing" }];
      // The sysctls of a link that has another name have other names too.
      const sysctls = found.name === link.name ? (link.sysctls ?? {}) : {};
      return [...linkDifferences(link, found), ...sysctlDifferences(sysctls, observed)];
    }),
    ...sysctlDifferences(expected.sysctls, observed),
  ];
}

function sysctlDifferences(expected: State["sysctls"], { sysctls }: State): Difference[] {
  return Object.entries(expected).flatMap(([key, value]) =>
    compare({ subject: key }, sysctls[key] ?? "absent", value, sysctl(key, value)),
  );
}

function find({ index, name }: ExpectedLink, links: readonly ObservedLink[]): ObservedLink | undefined {
  return links.find((link) => (index === undefined ? link.name === name : link.index === index));
}

function linkDifferences(expected: ExpectedLink, observed: ObservedLink): Difference[] {
  const { name, bridge, tap } = expected;
  const shown = observed.name;
  const set = (what: string): string => `ip link set ${shellWord(shown)} ${what}`;
  const ipv6 = sysctl(`net.ipv6.conf.${shown}.disable_ipv6`, expected.ipv6 ? "0" : "1");
  return [
    ...compare({ subject: name, what: "name" }, shown, name),
    ...compare({ subject: name, what: "kind" }, observed.kind, expected.kind),
    ...compare({ subject: name, what: "link group" }, observed.mark, expected.mark, set(`group ${expected.mark}`)),
    ...compare({ subject: name, what: "MAC" }, observed.mac, expected.mac, set(`address ${expected.mac}`)),
    ...compare({ subject: name, what: "MTU" }, observed.mtu, expected.mtu, set(`mtu ${expected.mtu}`)),
    ...compare({ subject: name }, upDown(observed.up), upDown(expected.up), set(upDown(expected.up))),
    ...compare(
      { subject: name, what: "master" },
      observed.master ?? "none",
      expected.master ?? "none",
      set(masterText(expected)),
    ),
    ...compare({ subject: name, what: "IPv6" }, onOff(observed.ipv6), onOff(expected.ipv6), ipv6),
    ...compare({ subject: name, what: "owner" }, observed.tap && (observed.tap.owner ?? "none"), tap?.owner),
    ...compare({ subject: name, what: "group" }, observed.tap && (observed.tap.group ?? "none"), tap?.group),
    ...compare({ subject: name, what: "multi-queue" }, onOff(observed.tap?.multiQueue), onOff(tap?.multiQueue)),
    ...compare(
      { subject: name, what: "VLAN filtering" },
      onOff(observed.bridge?.vlanFiltering),
      onOff(bridge?.vlanFiltering),
    ),
    ...portDifferences(expected, observed, set(masterText(expected))),
    ...absent(addressKey, expected.addresses, observed.addresses).map((address) => ({
      subject: name,
      fact: `address ${addressText(address)} is missing`,
      repair: `ip address add ${addressText(address)} dev ${shellWord(shown)}`,
    })),
    ...absent(neighborKey, expected.neighbors, observed.neighbors).map((neighbor) => ({
      subject: name,
      fact: `neighbor ${neighborText(neighbor)} is missing`,
      ...repairOf("ip neighbor replace", neighborCommand(neighbor, shown)),
    })),
    ...absent((route) => routeKey(route, observed.index), expected.routes, observed.routes).map((route) => ({
      subject: name,
      fact: `route ${routeText(route)} is missing`,
      ...repairOf(`ip${route.family === families.ipv6 ? " -6" : ""} route add`, routeCommand(route, shown)),
    })),
  ];
}

/** A link that is not a port of the right bridge must become one first. */
function portDifferences({ name, port, master }: ExpectedLink, observed: ObservedLink, enslave: string): Difference[] {
  if (port === undefined) return [];
  const { port: shown, name: on } = observed;
  const first = (repair?: string): string | undefined => (observed.master === master ? repair : enslave);
  const set = (what: string, is: boolean): string | undefined =>
    first(`bridge link set dev ${shellWord(on)} ${what} ${onOff(is)}`);
  return [
    ...compare(
      { subject: name, what: "learning" },
      onOff(shown?.learning),
      onOff(port.learning),
      set("learning", port.learning),
    ),
    ...compare(
      { subject: name, what: "isolation" },
      onOff(shown?.isolated),
      onOff(port.isolated),
      set("isolated", port.isolated),
    ),
    ...compare({ subject: name, what: "VLANs" }, vlansText(shown?.vlans), vlansText(port.vlans), first()),
    ...port.stations
      .filter((mac) => !shown?.stations.includes(mac))
      .map((mac) => ({
        subject: name,
        fact: `forwarding entry ${mac} is missing`,
        repair: first(`bridge fdb replace ${mac} dev ${shellWord(on)} master static`)!,
      })),
  ];
}

/** The fact is `what is OBSERVED, not EXPECTED`. */
function compare<T extends string | number>(
  { subject, what }: { readonly subject: string; readonly what?: string },
  observed: T | undefined,
  expected: T | undefined,
  repair?: string,
): Difference[] {
  if (expected === undefined || observed === expected) return [];
  const fact = `${what === undefined ? "" : `${what} `}is ${observed ?? "unknown"}, not ${expected}`;
  return [{ subject, fact, ...(repair !== undefined && { repair }) }];
}

function sysctl(key: string, value: string): string {
  return `sysctl -w ${shellWord(`${key}=${value}`)}`;
}

function masterText({ master }: ExpectedLink): string {
  return master === undefined ? "nomaster" : `master ${shellWord(master)}`;
}

function upDown(up: boolean): string {
  return up ? "up" : "down";
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

function repairOf(command: string, words: string | undefined): { repair?: string } {
  return words === undefined ? {} : { repair: `${command} ${words}` };
}

/** Undefined if `ip route` needs more than the words below. */
function routeCommand(route: KernelRoute, link: string): string | undefined {
  const { gateway, metric, preferredSource, flags, table, type, tos, sourceLength, preference = 0, metrics } = route;
  const { mtu, advmss, hopLimit, lock, congestionControl } = metrics ?? {};
  if (route.nexthop !== undefined || route.hops !== undefined || route.via !== undefined) return undefined;
  if (preference !== 0 || lock !== undefined || congestionControl !== undefined) return undefined;
  if (table !== mainTable || type !== unicast || tos !== 0 || sourceLength !== 0) return undefined;
  const words = [
    routeText(route),
    `dev ${shellWord(link)}`,
    ...((flags & routeFlags.onLink) === 0 ? [] : ["onlink"]),
    ...(metric === undefined ? [] : [`metric ${metric}`]),
    ...(preferredSource === undefined ? [] : [`src ${preferredSource}`]),
    ...(mtu === undefined ? [] : [`mtu ${mtu}`]),
    ...(advmss === undefined ? [] : [`advmss ${advmss}`]),
    ...(hopLimit === undefined ? [] : [`hoplimit ${hopLimit}`]),
    ...(route.scope === linkScope && gateway === undefined ? ["scope link"] : []),
  ];
  return words.join(" ");
}

function neighborCommand({ destination, mac, flags, state }: Neighbor, link: string): string | undefined {
  if (flags !== 0 || mac === undefined || state !== neighborStates.permanent) return undefined;
  return `${destination} lladdr ${mac} dev ${shellWord(link)} nud permanent`;
}
