// What an author writes for a plugin that hands a device of the node to a guest.
import type { JsonObject } from "../cni/json.ts";
import type { NetconfSchema } from "../cni/plugin.ts";
import type { Result } from "../cni/results.ts";
import type { NodeDevices } from "../kernel/devices.ts";
import type { DeviceChange } from "../plan/device.ts";
import type { Difference } from "../plan/differences.ts";
import type { DryRunCall, Requirement } from "./operator.ts";
import type { Journaled } from "./pod.ts";

/** The changes to a device, and the input of the plan. */
export interface PlannedDevice {
  readonly changes: readonly DeviceChange[];
}

/** The device that a call is about. */
export interface DeviceRequest {
  /** PCI address. */
  readonly address: string;
  /**
   * Whether the plan may open the device to find out who uses it. A dry run must not: a hypervisor
   * that opens it then would be refused.
   */
  readonly mayOpen: boolean;
}

/** The input of a result. `netns` and `ifname` are the call's. */
export interface DeviceReport {
  readonly netns: string;
  readonly ifname: string;
  /** What the IPAM plugin assigned. */
  readonly assigned?: Result;
  readonly prevResult?: Result;
}

/** A plugin that hands over a device. Its netconf may name an IPAM plugin. */
export interface DevicePlugin<C extends Journaled, D extends Journaled, P extends PlannedDevice> {
  readonly name: string;
  readonly about: string;
  readonly schema: NetconfSchema<C, D>;
  /**
   * Returns the PCI address that the call names. Undefined if it names none.
   * @throws CniError if the call names something else, or has other values that can be refused
   *   before the node is read
   */
  deviceOf(object: JsonObject, conf: C): string | undefined;
  /** What to do if the call names no device, and if the node has no such device. */
  readonly hints: { readonly unnamed: string; readonly absent: string };
  /**
   * Reads the device as it was before any attachment, and returns the changes that ADD makes.
   * Changes nothing.
   * @throws CniError if the device cannot be handed over
   */
  plan(kernel: NodeDevices, call: DryRunCall<C>, request: DeviceRequest): P;
  /** What ADD reports once the plan is performed. */
  report(planned: P, report: DeviceReport): Result;
  /** What CHECK compares in addition to what ADD changed. */
  inspect(kernel: NodeDevices, address: string): Difference[];
  /**
   * What STATUS checks, in addition to the journal's directory and the right to enter namespaces.
   */
  requirements(conf: C): readonly Requirement[];
}
