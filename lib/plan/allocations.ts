// The life of a device that one attachment holds: changed, checked, and restored from its record as
// far as it was changed.
import { type DeviceChange, withoutDevice } from "./device.ts";
import type { Difference } from "./differences.ts";
import {
  type Attachment,
  type Entry,
  type Identity,
  isSameAttachment,
  isSameIdentity,
  type PodName,
  type Recorded,
} from "./entry.ts";
import type { Journal } from "./journal.ts";
import { alreadyAttached, Ledger, noRecord, unfinishedAdd } from "./ledger.ts";

/** The target of a device's changes: a node's devices. */
export interface DeviceKernel {
  /** Performs the change, and reads back that it took effect. */
  perform(change: DeviceChange): void;
  /**
   * Reverts the changes of a device, as far as they were performed. Continues after failures, and
   * returns all of them. Does nothing while a process has the device open.
   */
  revert(device: string, changes: readonly DeviceChange[]): unknown[];
  /** Returns each deviation from what the change should have left. */
  differences(change: DeviceChange): Difference[];
}

/** What allocations need of a node's devices. */
export interface Devices<K extends DeviceKernel> {
  /** Returns the identity of the device with the PCI address. Undefined if there is none. */
  identify(address: string): Identity | undefined;
  /** Calls back. Excludes other calls of these plugins for the device. Throws if it is missing. */
  enter<T>(address: string, work: (kernel: K) => T): T;
  /** Calls back without a lock, for changes to other things than a device. */
  outside<T>(work: (kernel: K) => T): T;
  /** Whether a pod's network namespace still exists. */
  isThere(netns: Entry["netns"]): boolean;
  /** Returns the identity of the namespace at the path. Throws if there is none. */
  identifyNetns(path: string): Identity;
  /** Milliseconds of CLOCK_MONOTONIC. */
  time(): number;
}

/**
 * The record of an attachment that holds `device`. The journal finds it by the PCI address, so that
 * no other attachment gets the device.
 */
export interface Allocation extends Entry<DeviceChange> {
  readonly device: Identity & { readonly address: string };
}

/** All devices that attachments of one plugin hold. Throws several failures as {@link Failures}. */
export class Allocations<K extends DeviceKernel> {
  readonly #ledger: Ledger<Allocation>;
  readonly #journal: Journal<Allocation>;
  readonly #devices: Devices<K>;

  constructor(journal: Journal<Allocation>, devices: Devices<K>) {
    // Another plugin may have records of attachments in the same directory.
    this.#ledger = new Ledger(journal, (entry) => entry.device !== undefined);
    this.#journal = journal;
    this.#devices = devices;
  }

  /** Throws if no allocation could be recorded. */
  probe(): void {
    this.#journal.probe();
  }

  /**
   * Performs the changes that `planning` returns, all or nothing. If the pod of an earlier
   * allocation no longer exists, or its ADD was killed, restores the device first.
   *
   * @param planning is called with the restored device, and must change nothing
   */
  add<P extends { readonly changes: readonly DeviceChange[] }>(
    attachment: Attachment & {
      readonly network: string;
      readonly pod?: PodName;
      readonly netns: string;
      readonly device: string;
    },
    planning: (kernel: K) => P,
  ): P {
    const { containerId, ifname, network, pod, netns, device: address } = attachment;
    return this.#devices.enter(address, (kernel) => {
      this.#clear(attachment, kernel);
      const planned = planning(kernel);
      const { changes } = planned;
      const entry: Allocation = {
        network,
        containerId,
        ifname,
        ...(pod !== undefined && { pod }),
        device: { address, ...this.#devices.identify(address)! },
        netns: { path: netns, ...this.#devices.identifyNetns(netns) },
        time: this.#devices.time(),
        changes,
      };
      this.#ledger.perform(
        entry,
        () => {
          for (const change of changes) kernel.perform(change);
        },
        () => kernel.revert(address, changes),
      );
      return planned;
    });
  }

  /** Restores the attachment's device. Does nothing without a record. */
  remove(attachment: Attachment): void {
    const recorded = this.#of(attachment);
    if (recorded === undefined) this.#journal.remove(attachment);
    else this.#release(recorded.entry);
  }

  /**
   * Returns each difference between the attachment's changes and the current state, and what
   * `inspection` returns. Throws if there is no namespace at `netns`, the path of the pod's.
   */
  differences(
    attachment: Attachment & { readonly netns: string },
    inspection: (kernel: K, address: string) => readonly Difference[],
  ): Difference[] {
    const { netns } = attachment;
    const recorded = this.#of(attachment);
    if (recorded === undefined) return [noRecord(attachment)];
    if (recorded.pending) return [unfinishedAdd(attachment)];
    const { device, changes, netns: there } = recorded.entry;
    // The device is in no namespace, but its user is the pod.
    const elsewhere = isSameIdentity(there, this.#devices.identifyNetns(netns))
      ? []
      : [{ subject: netns, fact: `is another namespace than the one at ${there.path} that ADD was given` }];
    if (!this.#isThere(recorded.entry))
      return [...elsewhere, { subject: device.address, fact: "was removed or recreated after ADD" }];
    return this.#devices.enter(device.address, (kernel) => [
      ...elsewhere,
      ...changes.flatMap((change) => kernel.differences(change)),
      ...inspection(kernel, device.address),
    ]);
  }

  /** Returns every record, and the error of each file that cannot be read. */
  records(): { entries: Recorded<Allocation>[]; failures: unknown[] } {
    return this.#ledger.entries();
  }

  /** Returns the record of the attachment that holds the device with the PCI address. */
  recordOf(address: string): Recorded<Allocation> | undefined {
    return this.#journal.findHolder(address);
  }

  /**
   * Restores the device of an attachment whose namespace no longer exists. Does nothing if another
   * attachment holds the device.
   */
  reclaim(entry: Allocation): void {
    this.#release(entry);
  }

  /** Calls back with the device locked, as `add` does, to read it. */
  see<T>(address: string, work: (kernel: K) => T): T {
    return this.#devices.enter(address, work);
  }

  /**
   * Restores every device of the network whose attachment is not among the valid ones. Continues
   * after failures, and returns all of them.
   */
  collect(network: string, valid: readonly Attachment[]): unknown[] {
    return this.#ledger.collect(network, valid, (entry) => this.#release(entry));
  }

  /** Restores what earlier ADDs left. Throws if another attachment holds the device. */
  #clear(attachment: Attachment & { readonly device: string }, kernel: K): void {
    const { device: address, ifname, containerId } = attachment;
    const other = this.#of(attachment);
    if (other !== undefined && other.entry.device.address !== address) {
      if (!other.pending)
        throw new Error(
          `${ifname}: container ${containerId} holds ${other.entry.device.address} by this name; call DEL first`,
        );
      this.#release(other.entry);
    }
    const recorded = this.#journal.findHolder(address);
    if (recorded === undefined) return;
    const { entry, pending } = recorded;
    if (!pending && isSameAttachment(entry, attachment)) throw new Error(alreadyAttached(attachment));
    if (!pending && this.#devices.isThere(entry.netns)) throw new Error(heldBy(entry));
    this.#giveBack(entry, kernel);
  }

  /** Returns the attachment's record. */
  #of(attachment: Attachment): Recorded<Allocation> | undefined {
    const found = this.#journal.find(attachment);
    if (found !== undefined) return found;
    // A record of format 1 is named by its device. There are no more of them than VFs on the node.
    // A record that cannot be read affects its own attachment only.
    return this.#journal.findDeviceOfFormat1(attachment);
  }

  #release(entry: Allocation): void {
    const { address } = entry.device;
    // A device that does not exist needs no lock.
    if (this.#devices.identify(address) === undefined)
      return this.#devices.outside((kernel) => this.#giveBack(entry, kernel));
    this.#devices.enter(address, (kernel) => {
      const recorded = this.#journal.findHolder(address);
      // Another attachment holds it.
      if (recorded === undefined || !isSameAttachment(recorded.entry, entry)) return;
      this.#giveBack(recorded.entry, kernel);
    });
  }

  #giveBack(entry: Allocation, kernel: K): void {
    // The settings of a device that no longer exists ended with it.
    const left = this.#isThere(entry) ? entry.changes : withoutDevice(entry.changes);
    this.#ledger.undo(entry, () => kernel.revert(entry.device.address, left));
  }

  /** Whether the recorded device exists, and not another one at its address. */
  #isThere({ device }: Allocation): boolean {
    const there = this.#devices.identify(device.address);
    return there !== undefined && isSameIdentity(there, device);
  }
}

/** Returns why ADD refuses a device that another attachment holds. */
export function heldBy({ device: { address }, containerId, ifname, netns }: Allocation): string {
  return `${address}: in use by container ${containerId} (${ifname}), whose namespace ${netns.path} still exists; DEL that attachment first`;
}
