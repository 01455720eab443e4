// The kinds of change to a device that is handed to a guest: its settings at the physical function,
// its driver, and a file that describes it.
import type { VirtualFunction } from "../sysfs/sriov.ts";
import { byKind, none } from "./kinds.ts";

/**
 * One change: the state before and after it. All of them belong to the node, not to a pod's
 * namespace.
 */
export type DeviceChange = ConfigureVf | BindDriver | WriteFile;

export const deviceChangeKinds = Object.keys({
  configureVf: true,
  bindDriver: true,
  file: true,
} satisfies Record<DeviceChange["do"], true>);

/** Returns the drivers that the changes bind. */
export function bindings(changes: readonly DeviceChange[]): BindDriver[] {
  return changes.flatMap((change) => byKind(change, { configureVf: none, bindDriver: (one) => [one], file: none }));
}

/**
 * Returns the changes that remain after their device was removed: the changes to the device itself
 * are gone with it.
 */
export function withoutDevice(changes: readonly DeviceChange[]): DeviceChange[] {
  return changes.flatMap((change) =>
    byKind<DeviceChange, DeviceChange[]>(change, { configureVf: none, bindDriver: none, file: (one) => [one] }),
  );
}

export function vfChanges(changes: readonly DeviceChange[]): ConfigureVf[] {
  return changes.flatMap((change) => byKind(change, { configureVf: (one) => [one], bindDriver: none, file: none }));
}

/**
 * Sets settings of a VF by the link of its PF. `from` and `to` have the same settings: those that
 * the conf asks for.
 */
export interface ConfigureVf extends VirtualFunction {
  readonly do: "configureVf";
  readonly from: VfSettings;
  readonly to: VfSettings;
  /**
   * Whether the PF reported an address that the VF's network driver had picked. Then `from` has no
   * address instead.
   */
  readonly picked?: boolean;
}

/** Moves a device from one driver to another. */
export interface BindDriver {
  readonly do: "bindDriver";
  readonly device: string;
  readonly from: Binding;
  readonly to: Required<Pick<Binding, "driver">>;
  /**
   * The names of the network links of the first driver. When it binds again, it may choose other
   * names.
   */
  readonly links: readonly string[];
}

/** Writes a file. `from` is absent if the file did not exist. */
export interface WriteFile {
  readonly do: "file";
  readonly path: string;
  readonly from?: string;
  readonly to: string;
}

/** The driver of a device, and the only driver that may bind to it. Absent: none, and any. */
export interface Binding {
  readonly driver?: string;
  readonly override?: string;
}

/** As in `ip link set PF vf N …`. A setting that is absent is left alone. */
export interface VfSettings {
  /** Lower-case; see `noMac` in lib/net/mac.ts. */
  readonly mac?: string;
  readonly vlan?: VfVlan;
  readonly rate?: VfRate;
  readonly spoofCheck?: boolean;
  readonly trust?: boolean;
  readonly linkState?: "auto" | "enable" | "disable";
}

/** The VLAN whose tag the VF's frames get. 0 means none. */
export interface VfVlan {
  readonly id: number;
  /** The priority, 0 to 7. */
  readonly qos: number;
  readonly protocol: "802.1q" | "802.1ad";
}

/** In Mbit/s. 0 means no limit. */
export interface VfRate {
  readonly least: number;
  readonly most: number;
}

/** The name of a setting. */
export type VfSetting = keyof VfSettings;

/**
 * The order in which settings are set, one message each: the kernel applies the settings before the
 * one that it refuses. The MAC address is last, because reverting it costs the VF's driver its own
 * address.
 */
export const vfSettings: readonly VfSetting[] = ["vlan", "rate", "spoofCheck", "trust", "linkState", "mac"];

/** Returns the settings that differ, among those in `wanted`. */
export function differing(observed: VfSettings, wanted: VfSettings): VfSetting[] {
  return vfSettings.filter(
    (name) => wanted[name] !== undefined && settingText(observed[name]) !== settingText(wanted[name]),
  );
}

/** Formats a setting for an operator: `100, QoS 2, 802.1q`, `on`. */
export function settingText(value: VfSettings[VfSetting]): string {
  if (value === undefined) return "not reported";
  if (typeof value === "boolean") return value ? "on" : "off";
  if (typeof value === "string") return value;
  if ("id" in value) return value.id === 0 ? "none" : `${value.id}, QoS ${value.qos}, ${value.protocol}`;
  return `${value.least} to ${value.most} Mbit/s`;
}

/** The name of each setting in messages. */
export const settingNames: Readonly<Record<VfSetting, string>> = {
  mac: "MAC",
  vlan: "VLAN",
  rate: "tx rate",
  spoofCheck: "spoofchk",
  trust: "trust",
  linkState: "link state",
};
