// The life of a device that an attachment has for itself: taken, checked, given back from what was
// written down, however far it came.
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

/** What a change is made on: a node's devices. */
export interface DeviceKernel {
  /** Makes the change, and sees that it was made. */
  perform(change: DeviceChange): void;
  /**
   * Takes all changes of a device back, wherever between none and all of them was made. Goes on
   * past failures, and gives them all; does nothing while somebody has the device open.
   */
  revert(device: string, changes: readonly DeviceChange[]): unknown[];
  /** Names what is not as the change left it. */
  differences(change: DeviceChange): Difference[];
}

/** The way to a node's devices. */
export interface Devices<K extends DeviceKernel> {
  /** Which device has the PCI address; undefined if none has it any more. */
  identify(address: string): Identity | undefined;
  /**
   * Calls back while no other call of these plugins is at the device. Throws where it is not there.
   */
  enter<T>(address: string, work: (kernel: K) => T): T;
  /** Calls back with no device locked: for what is not a device's. */
  outside<T>(work: (kernel: K) => T): T;
  /** Whether a pod's network namespace is still there. */
  isThere(netns: Entry["netns"]): boolean;
  /** Which namespace is at the path. Throws where none is. */
  identifyNetns(path: string): Identity;
  /** Milliseconds of CLOCK_MONOTONIC. */
  time(): number;
}

/**
 * One attachment's record: `device` is what it has. The journal knows it by its PCI address, so
 * that nobody else can have it.
 */
export interface Allocation extends Entry<DeviceChange> {
  readonly device: Identity & { readonly address: string };
}

/**
 * All devices that one plugin has given away. Failures are thrown as they are, several of them as
 * {@link Failures}.
 */
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

  /** Throws where no allocation could be recorded. */
  probe(): void {
    this.#journal.probe();
  }

  /**
   * Performs what `planning` plans, all or nothing. What an earlier allocation of the device left
   * is put right first, where its pod is gone or its ADD was killed.
   * @param planning sees the device as it was before anybody had it; it must change nothing
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

  /** Gives the attachment's device back. Without a record there is nothing to give. */
  remove(attachment: Attachment): void {
    const recorded = this.#of(attachment);
    if (recorded === undefined) this.#journal.remove(attachment);
    else this.#release(recorded.entry);
  }

  /**
   * Names each difference between what the attachment was given and what is there, and what
   * `inspection` finds besides. Throws where nothing is at `netns`, the path of the pod's
   * namespace.
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
    // The device is in no namespace, but who ends up with it follows the pod.
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

  /** Every record, and for each file that cannot be read the error that says why. */
  records(): { entries: Recorded<Allocation>[]; failures: unknown[] } {
    return this.#ledger.entries();
  }

  /** What is recorded of the device, by its PCI address. */
  recordOf(address: string): Recorded<Allocation> | undefined {
    return this.#journal.findHolder(address);
  }

  /**
   * Gives an attachment's device back whose namespace is known to be gone. Does nothing where
   * somebody else has the device by now.
   */
  reclaim(entry: Allocation): void {
    this.#release(entry);
  }

  /** Sees the device, as `add` would, and changes nothing. */
  see<T>(address: string, work: (kernel: K) => T): T {
    return this.#devices.enter(address, work);
  }

  /**
   * Gives back every device of the network whose attachment is not among the valid ones. Goes on
   * past failures, and gives them all.
   */
  collect(network: string, valid: readonly Attachment[]): unknown[] {
    return this.#ledger.collect(network, valid, (entry) => this.#release(entry));
  }

  /** Makes room for an ADD, or throws and says who has the device. */
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
    // What cannot be locked can be nobody's.
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
    // What was changed about a device that is gone went with it.
    const left = this.#isThere(entry) ? entry.changes : withoutDevice(entry.changes);
    this.#ledger.undo(entry, () => kernel.revert(entry.device.address, left));
  }

  /**
   * Whether the device is still the one that was given away, and not one that has its address
   * since.
   */
  #isThere({ device }: Allocation): boolean {
    const there = this.#devices.identify(device.address);
    return there !== undefined && isSameIdentity(there, device);
  }
}

/** Why a device cannot be had that another attachment has. */
export function heldBy({ device: { address }, containerId, ifname, netns }: Allocation): string {
  return `${address}: in use by container ${containerId} (${ifname}), whose namespace ${netns.path} still exists; DEL that attachment first`;
}
