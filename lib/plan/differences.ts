// What CHECK compares: the state that a plan ought to have produced with the one that the kernel
// shows.
import { shellWord } from "../shell.ts";
import { addressText } from "./address.ts";
import type { Expectation, ExpectedLink } from "./change.ts";
import type { Address, ObservedLink, PortVlan, State } from "./state.ts";

/** One difference. */
export interface Difference {
  /** In the operator's words, such as `tap0: owner is 0, not 107`. */
  readonly fact: string;
  /** The command that puts it right, in the namespace; absent where only ADD could. */
  readonly repair?: string;
}

/** Names each difference; nothing where all is as expected. */
export function differences(expected: Expectation, observed: State): string[] {
  return repairable(expected, observed).map(({ fact }) => fact);
}

/**
 * The same, each with what puts it right. Only what the plan set is compared: routes, addresses and
 * links that others added are theirs.
 */
export function repairable(expected: Expectation, observed: State): Difference[] {
  return [
    ...expected.links.flatMap((link) => linkDifferences(link, find(link, observed.links))),
    ...Object.entries(expected.sysctls).flatMap(([key, value]) =>
      compare([key], observed.sysctls[key] ?? "absent", value, sysctl(key, value)),
    ),
  ];
}

function find({ index, name }: ExpectedLink, links: readonly ObservedLink[]): ObservedLink | undefined {
  return links.find((link) => (index === undefined ? link.name === name : link.index === index));
}

function linkDifferences(expected: ExpectedLink, observed: ObservedLink | undefined): Difference[] {
  const { name, bridge, tap } = expected;
  if (observed === undefined) return [{ fact: `${name}: is missing` }];
  const shown = observed.name;
  const set = (what: string): string => `ip link set ${shellWord(shown)} ${what}`;
  const ipv6 = sysctl(`net.ipv6.conf.${shown}.disable_ipv6`, expected.ipv6 ? "0" : "1");
  return [
    ...compare([name, "name"], shown, name),
    ...compare([name, "kind"], observed.kind, expected.kind),
    ...compare([name, "link group"], observed.mark, expected.mark, set(`group ${expected.mark}`)),
    ...compare([name, "MAC"], observed.mac, expected.mac, set(`address ${expected.mac}`)),
    ...compare([name, "MTU"], observed.mtu, expected.mtu, set(`mtu ${expected.mtu}`)),
    ...compare([name], upDown(observed.up), upDown(expected.up), set(upDown(expected.up))),
    ...compare([name, "master"], observed.master ?? "none", expected.master ?? "none", set(masterText(expected))),
    ...compare([name, "IPv6"], onOff(observed.ipv6), onOff(expected.ipv6), ipv6),
    ...compare([name, "owner"], observed.tap && (observed.tap.owner ?? "none"), tap?.owner),
    ...compare([name, "group"], observed.tap && (observed.tap.group ?? "none"), tap?.group),
    ...compare([name, "multi-queue"], onOff(observed.tap?.multiQueue), onOff(tap?.multiQueue)),
    ...compare([name, "VLAN filtering"], onOff(observed.bridge?.vlanFiltering), onOff(bridge?.vlanFiltering)),
    ...portDifferences(expected, observed, set(masterText(expected))),
    ...missing(expected.addresses, observed.addresses).map((address) => ({
      fact: `${name}: address ${addressText(address)} is missing`,
      repair: `ip address add ${addressText(address)} dev ${shellWord(shown)}`,
    })),
  ];
}

/** What is no port, or another bridge's, must be made one first. */
function portDifferences({ name, port, master }: ExpectedLink, observed: ObservedLink, enslave: string): Difference[] {
  if (port === undefined) return [];
  const { port: shown, name: on } = observed;
  const first = (repair?: string): string | undefined => (observed.master === master ? repair : enslave);
  const set = (what: string, is: boolean): string | undefined =>
    first(`bridge link set dev ${shellWord(on)} ${what} ${onOff(is)}`);
  return [
    ...compare([name, "learning"], onOff(shown?.learning), onOff(port.learning), set("learning", port.learning)),
    ...compare([name, "isolation"], onOff(shown?.isolated), onOff(port.isolated), set("isolated", port.isolated)),
    ...compare([name, "VLANs"], vlansText(shown?.vlans), vlansText(port.vlans), first()),
    ...port.stations
      .filter((mac) => !shown?.stations.includes(mac))
      .map((mac) => ({
        fact: `${name}: forwarding entry ${mac} is missing`,
        repair: first(`bridge fdb replace ${mac} dev ${shellWord(on)} master static`)!,
      })),
  ];
}

/** `subject: what is OBSERVED, not EXPECTED`, where something is expected and is not so. */
function compare<T extends string | number>(
  [subject, what]: readonly [subject: string, what?: string],
  observed: T | undefined,
  expected: T | undefined,
  repair?: string,
): Difference[] {
  if (expected === undefined || observed === expected) return [];
  const fact = `${subject}: ${what === undefined ? "" : `${what} `}is ${observed ?? "unknown"}, not ${expected}`;
  return [{ fact, ...(repair !== undefined && { repair }) }];
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

function missing(expected: readonly Address[], observed: readonly Address[]): Address[] {
  return expected.filter((one) => !observed.some((other) => addressText(other) === addressText(one)));
}
