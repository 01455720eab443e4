// What is changed about a device that is handed to a guest whole: its settings at the physical
// function, its driver, and a file that tells of it.
import type { VirtualFunction } from "../sysfs/sriov.ts";
import { byKind, none } from "./kinds.ts";

/**
 * One change: what was and what is to be. All of them are of the node, not of a pod's namespace.
 */
export type DeviceChange = ConfigureVf | BindDriver | WriteFile;

export const deviceChangeKinds = Object.keys({
  configureVf: true,
  bindDriver: true,
  file: true,
} satisfies Record<DeviceChange["do"], true>);

/** The drivers that the changes bind. */
export function bindings(changes: readonly DeviceChange[]): BindDriver[] {
  return changes.flatMap((change) => byKind(change, { configureVf: none, bindDriver: (one) => [one], file: none }));
}

/** The changes that outlive their device: what was changed about the device itself went with it. */
export function withoutDevice(changes: readonly DeviceChange[]): DeviceChange[] {
  return changes.flatMap((change) =>
    byKind<DeviceChange, DeviceChange[]>(change, { configureVf: none, bindDriver: none, file: (one) => [one] }),
  );
}

export function vfChanges(changes: readonly DeviceChange[]): ConfigureVf[] {
  return changes.flatMap((change) => byKind(change, { configureVf: (one) => [one], bindDriver: none, file: none }));
}

/**
 * Settings of a VF, by its PF's link. `from` and `to` have the same ones: those that were asked
 * for.
 */
export interface ConfigureVf extends VirtualFunction {
  readonly do: "configureVf";
  readonly from: VfSettings;
  readonly to: VfSettings;
  /**
   * Whether the PF told the MAC address that the VF's network driver had picked, in whose place
   * `from` has none.
   */
  readonly picked?: boolean;
}

/** A device goes from one driver to another. */
export interface BindDriver {
  readonly do: "bindDriver";
  readonly device: string;
  readonly from: Binding;
  readonly to: Required<Pick<Binding, "driver">>;
  /**
   * The names of the network links that the first driver made: it makes them anew, and may call
   * them otherwise.
   */
  readonly links: readonly string[];
}

/** A file is written; `from` is absent where there was none. */
export interface WriteFile {
  readonly do: "file";
  readonly path: string;
  readonly from?: string;
  readonly to: string;
}

/** Which driver has a device, and which one alone may; absent for none, and for any. */
export interface Binding {
  readonly driver?: string;
  readonly override?: string;
}

/** As `ip link set PF vf N …`; a setting that is absent is not ours to decide. */
export interface VfSettings {
  /** Lower-case; see `noMac` in lib/net/mac.ts. */
  readonly mac?: string;
  readonly vlan?: VfVlan;
  readonly rate?: VfRate;
  readonly spoofCheck?: boolean;
  readonly trust?: boolean;
  readonly linkState?: "auto" | "enable" | "disable";
}

/** The VLAN whose tag the VF's frames get; 0 for none. */
export interface VfVlan {
  readonly id: number;
  /** The priority, 0 to 7. */
  readonly qos: number;
  readonly protocol: "802.1q" | "802.1ad";
}

/** In Mbit/s; 0 for no limit. */
export interface VfRate {
  readonly least: number;
  readonly most: number;
}

/** A setting by its name. */
export type VfSetting = keyof VfSettings;

/**
 * In the order in which they are set: one message each, because the kernel applies those before the
 * one that it refuses. The MAC address comes last: taking it back costs the VF's driver
 * its own.
 */
export const vfSettings: readonly VfSetting[] = ["vlan", "rate", "spoofCheck", "trust", "linkState", "mac"];

/** The settings in which two differ, of those that the second one has. */
export function differing(observed: VfSettings, wanted: VfSettings): VfSetting[] {
  return vfSettings.filter(
    (name) => wanted[name] !== undefined && settingText(observed[name]) !== settingText(wanted[name]),
  );
}

/** As an operator reads it: `vlan 100 qos 2 802.1q`, `on`. */
export function settingText(value: VfSettings[VfSetting]): string {
  if (value === undefined) return "not told";
  if (typeof value === "boolean") return value ? "on" : "off";
  if (typeof value === "string") return value;
  if ("id" in value) return value.id === 0 ? "none" : `${value.id}, QoS ${value.qos}, ${value.protocol}`;
  return `${value.least} to ${value.most} Mbit/s`;
}

/** What operators call a setting. */
export const settingNames: Readonly<Record<VfSetting, string>> = {
  mac: "MAC",
  vlan: "VLAN",
  rate: "tx rate",
  spoofCheck: "spoofchk",
  trust: "trust",
  linkState: "link state",
};
