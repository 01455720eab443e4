// A plan in words: what each change does, and the steps that it takes, each as `ip` and its like would have it.
import { addressText } from "./address.ts";
import type { Change } from "./change.ts";
import { type ConfigureVf, type DeviceChange, settingNames, settingText, vfSettings } from "./device.ts";
import type { Address, Link, Neighbor, PortSettings, Route, State } from "./state.ts";
import { type Configuration, type Step, stepsOf } from "./step.ts";

/** One change in words, with the steps that it takes. */
export interface ChangeText {
  readonly what: string;
  readonly steps: readonly string[];
}

/** Describes the changes in order, as they would be made of that state. */
export function describe(changes: readonly Change[], state: State): ChangeText[] {
  return changes.map((change) => ({ what: whatOf(change), steps: stepsOf(change, state).map(stepText) }));
}

function whatOf(change: Change): string {
  switch (change.do) {
    case "create":
      return `make ${change.link.name}, a ${change.link.kind}`;
    case "set":
      return change.from.name === change.to.name
        ? `change ${change.from.name}`
        : `change ${change.from.name}, and call it ${change.to.name}`;
    case "sysctl":
      return change.from === change.to
        ? `keep ${change.key} at ${change.to}`
        : `set ${change.key} from ${change.from} to ${change.to}`;
  }
}

function stepText(step: Step): string {
  switch (step.do) {
    case "create":
      return `make ${step.link.kind} ${step.link.name}: ${linkText(step.link)}`;
    case "delete":
      return `delete ${step.links.join(", ")}`;
    case "configure":
      return `set ${step.link} ${configurationText(step.settings)}`;
    case "port":
      return `set port ${step.link}: ${portText(step.port)}`;
    case "ipv6":
      return `switch IPv6 ${step.on ? "on" : "off"} on ${step.link}`;
    case "assign":
      return `give ${step.link} the address ${assignedText(step.address)}`;
    case "unassign":
      return `take the address ${addressText(step.address)} off ${step.link}`;
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

function linkText({ mac, mtu, up, master, ipv6, tap, bridge, mark }: Link): string {
  return listed([
    mac !== undefined && `MAC ${mac}`,
    `MTU ${mtu}`,
    up ? "up" : "down",
    master !== undefined && `port of ${master}`,
    tap !== undefined && `owner ${tap.owner}, group ${tap.group}`,
    tap?.multiQueue === true && "multi-queue",
    tap?.selinuxContext !== undefined && `SELinux context ${tap.selinuxContext}`,
    bridge?.vlanFiltering === true && "filters VLANs",
    ipv6 !== undefined && `IPv6 ${ipv6 ? "on" : "off"}`,
    mark !== 0 && `link group ${mark}`,
  ]);
}

function configurationText({ name, mac, mtu, master, up }: Configuration): string {
  return listed([
    name !== undefined && `name ${name}`,
    mac !== undefined && `MAC ${mac}`,
    mtu !== undefined && `MTU ${mtu}`,
    master !== undefined && (master === null ? "port of nothing" : `port of ${master}`),
    up !== undefined && (up ? "up" : "down"),
  ]);
}

function portText({ learning, isolated, vlans, stations }: PortSettings): string {
  return listed([
    `learning ${learning ? "on" : "off"}`,
    isolated && "isolated",
    ...vlans.map(
      ({ first, last, pvid, untagged }) =>
        `VLAN ${first}${last === first ? "" : `-${last}`}${pvid ? " PVID" : ""}${untagged ? " untagged" : ""}`,
    ),
    ...stations.map((mac) => `${mac} is behind it`),
  ]);
}

function assignedText(address: Address): string {
  return `${addressText(address)}${address.prefixRoute ? "" : ", without a route to its network"}`;
}

/** As in `ip route`. */
export function routeText({ destination, destinationLength, gateway }: Route): string {
  const to = destination === undefined ? "default" : `${destination}/${destinationLength}`;
  return `${to}${gateway === undefined ? "" : ` via ${gateway}`}`;
}

function neighborText({ destination, mac }: Neighbor): string {
  return `${destination}${mac === undefined ? "" : ` at ${mac}`}`;
}

/** The same of changes of a node's devices. */
export function describeDevice(changes: readonly DeviceChange[]): ChangeText[] {
  return changes.map(deviceChange);
}

function deviceChange(change: DeviceChange): ChangeText {
  switch (change.do) {
    case "configureVf":
      return { what: `set VF ${change.index} of ${change.pf}`, steps: settingsText(change) };
    case "bindDriver":
      return {
        what: `hand ${change.device} from ${change.from.driver ?? "no driver"} to ${change.to.driver}`,
        steps: change.links.map((link) => `its link ${link} goes from the node until DEL`),
      };
    case "file":
      return { what: `${change.from === undefined ? "write" : "replace"} ${change.path}`, steps: [] };
  }
}

function settingsText({ from, to }: ConfigureVf): string[] {
  return vfSettings
    .filter((name) => to[name] !== undefined)
    .map((name) => {
      const [was, is] = [settingText(from[name]), settingText(to[name])];
      return was === is ? `${settingNames[name]} stays ${is}` : `${settingNames[name]} from ${was} to ${is}`;
    });
}

function listed(parts: readonly (string | false)[]): string {
  return parts.filter((part) => part !== false).join(", ");
}
