// Describes a plan to an operator: what each change does, and its steps in the words of `ip`.
import { addressText } from "./address.ts";
import type { Change } from "./change.ts";
import { type ConfigureVf, type DeviceChange, settingNames, settingText, vfSettings } from "./device.ts";
import { byKind } from "./kinds.ts";
import type { Address, KernelRoute, Neighbor, NewLink, PortSettings, State } from "./state.ts";
import { type Configuration, type Step, stepsOf } from "./step.ts";

/** One change in words, with its steps. */
export interface ChangeText {
  readonly what: string;
  readonly steps: readonly string[];
}

/** Describes the changes in order, starting from the state. */
export function describeChanges(changes: readonly Change[], state: State): ChangeText[] {
  return changes.map((change) => ({ what: whatOf(change), steps: stepsOf(change, state).map(stepText) }));
}

function whatOf(change: Change): string {
  return byKind(change, {
    create: ({ link }) => `create ${link.name}, a ${link.kind}`,
    set: ({ from, to }) =>
      from.name === to.name ? `change ${from.name}` : `change ${from.name}, and rename it to ${to.name}`,
    sysctl: ({ key, from, to }) => (from === to ? `keep ${key} at ${to}` : `set ${key} from ${from} to ${to}`),
  });
}

function stepText(step: Step): string {
  switch (step.do) {
    case "create":
      return `create ${step.link.kind} ${step.link.name}: ${linkText(step.link)}`;
    case "delete":
      return `delete ${step.links.join(", ")}`;
    case "configure":
      return `set ${step.link} ${configurationText(step.settings)}`;
    case "port":
      return `set port ${step.link}: ${portText(step.port)}`;
    case "ipv6":
      return `switch IPv6 ${step.on ? "on" : "off"} on ${step.link}`;
    case "assign":
      return `add address ${assignedText(step.address)} to ${step.link}`;
    case "unassign":
      return `remove address ${addressText(step.address)} from ${step.link}`;
    case "addRoute":
      return `add route ${routeText(step.route)} on ${step.link}`;
    case "removeRoute":
      return `remove route ${routeText(step.route)} from ${step.link}`;
    case "addNeighbor":
      return `add neighbor ${neighborText(step.neighbor)} on ${step.link}`;
    case "removeNeighbor":
      return `remove neighbor ${neighborText(step.neighbor)} from ${step.link}`;
    case "sysctl":
      return `write ${step.value} to ${step.key}`;
  }
}

function linkText(link: NewLink): string {
  const { mac, mtu, up, master, ipv6, mark } = link;
  const tap = link.kind === "tap" ? link.tap : undefined;
  return joinParts([
    mac !== undefined && `MAC ${mac}`,
    `MTU ${mtu}`,
    up ? "up" : "down",
    master !== undefined && `port of ${master}`,
    tap !== undefined && `owner ${tap.owner}, group ${tap.group}`,
    tap?.multiQueue === true && "multi-queue",
    tap?.selinuxContext !== undefined && `SELinux context ${tap.selinuxContext}`,
    link.kind === "bridge" && link.bridge?.vlanFiltering === true && "filters VLANs",
    ipv6 !== undefined && `IPv6 ${ipv6 ? "on" : "off"}`,
    mark !== 0 && `link group ${mark}`,
  ]);
}

function configurationText({ name, mac, mtu, master, up }: Configuration): string {
  return joinParts([
    name !== undefined && `name ${name}`,
    mac !== undefined && `MAC ${mac}`,
    mtu !== undefined && `MTU ${mtu}`,
    master !== undefined && (master === null ? "no bridge" : `port of ${master}`),
    up !== undefined && (up ? "up" : "down"),
  ]);
}

function portText({ learning, isolated, vlans, stations }: PortSettings): string {
  return joinParts([
    `learning ${learning ? "on" : "off"}`,
    isolated && "isolated",
    ...vlans.map(
      ({ first, last, pvid, untagged }) =>
        `VLAN ${first}${last === first ? "" : `-${last}`}${pvid ? " PVID" : ""}${untagged ? " untagged" : ""}`,
    ),
    ...stations.map((mac) => `station ${mac}`),
  ]);
}

function assignedText(address: Address): string {
  return `${addressText(address)}${address.prefixRoute ? "" : ", without a route to its network"}`;
}

/** As in `ip route`. */
export function routeText({ destination, destinationLength, gateway }: KernelRoute): string {
  const to = destination === undefined ? "default" : `${destination}/${destinationLength}`;
  return `${to}${gateway === undefined ? "" : ` via ${gateway}`}`;
}

/** As in `ip neighbor`. */
export function neighborText({ destination, mac }: Neighbor): string {
  return `${destination}${mac === undefined ? "" : ` at ${mac}`}`;
}

/** Describes the changes to a node's devices. */
export function describeDeviceChanges(changes: readonly DeviceChange[]): ChangeText[] {
  return changes.map(deviceChange);
}

function deviceChange(change: DeviceChange): ChangeText {
  return byKind(change, {
    configureVf: (one) => ({ what: `set VF ${one.index} of ${one.pf}`, steps: settingsText(one) }),
    bindDriver: ({ device, from, to, links }) => ({
      what: `bind ${device} to ${to.driver}, now ${from.driver ?? "without a driver"}`,
      steps: links.map((link) => `the node has no link ${link} until DEL`),
    }),
    file: ({ path, from }) => ({ what: `${from === undefined ? "write" : "replace"} ${path}`, steps: [] }),
  });
}

function settingsText({ from, to }: ConfigureVf): string[] {
  return vfSettings
    .filter((name) => to[name] !== undefined)
    .map((name) => {
      const [was, is] = [settingText(from[name]), settingText(to[name])];
      return was === is ? `${settingNames[name]} stays ${is}` : `${settingNames[name]} from ${was} to ${is}`;
    });
}

function joinParts(parts: readonly (string | false)[]): string {
  return parts.filter((part) => part !== false).join(", ");
}
