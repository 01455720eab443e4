// What a diagnosis reads from a pod. It holds no conclusions.
import type { Fact } from "../fact.ts";
import type { Change } from "../plan/change.ts";
import type { DeviceChange } from "../plan/device.ts";
import type { Difference } from "../plan/differences.ts";
import type { Entry, Recorded } from "../plan/entry.ts";
import type { ObservedLink } from "../plan/state.ts";

/** The state of one pod. */
export interface PodSurvey {
  readonly netns: { readonly path: string; readonly inode: number };
  /**
   * Whether another call held the pod during the survey: then the state may be half of a change.
   */
  readonly busy: boolean;
  readonly links: readonly SurveyedLink[];
  /** The sysctls of a diagnosis, by name. One that the kernel does not have is absent. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** The MAC addresses that bridges have learnt, each with its port. */
  readonly stations: readonly { readonly mac: string; readonly port: string }[];
  /** The records of ADDs that changed the namespace. */
  readonly records: readonly SurveyedRecord[];
  /** The records of ADDs that handed over a device. */
  readonly allocations: readonly SurveyedRecord<DeviceChange>[];
  /** The records that could not be read, and why. */
  readonly unreadable: readonly Fact[];
  /** The VFs of the records. */
  readonly vfs: readonly SurveyedVf[];
  /** The processes of the namespace that have a tap open. */
  readonly holders: readonly { readonly name: string; readonly pid: number; readonly tap: string }[];
}

/** A link, with the facts that plans do not use. */
export interface SurveyedLink extends ObservedLink {
  /**
   * For a tap: whether a process has it open. For other links: whether the other end exists and is
   * up. Always false while the link is down.
   */
  readonly carrier: boolean;
  /** Addresses that another host on the network has too, as duplicate address detection found. */
  readonly duplicates: readonly string[];
  /** Only for a bridge. */
  readonly stp?: boolean;
  /** Only for a port of a bridge: BR_STATE_*, 3 is forwarding. */
  readonly portState?: number;
  /** Only for a tap. `queues`, the number of open ones, only for a multi-queue tap. */
  readonly persist?: boolean;
  readonly vnetHeader?: boolean;
  readonly queues?: number;
}

/** A record of any plugin that names the pod's namespace. */
export interface SurveyedRecord<C = Change> extends Recorded<Entry<C>> {
  /** The journal. */
  readonly directory: string;
  /** Whether the record belongs to this namespace, and not to an earlier one with the same path. */
  readonly here: boolean;
}

/** A VF that a record hands to the pod. */
export interface SurveyedVf {
  readonly device: string;
  /** Whether the device is the one that was handed over. False if it was removed or recreated. */
  readonly there: boolean;
  readonly driver?: string;
  readonly group?: string;
  /** Whether it is on a VFIO driver. */
  readonly handedOver: boolean;
  /** The devices that keep its group from being handed over, such as `0000:01:00.0 is on igb`. */
  readonly offenders: readonly string[];
  /** The file by which user space opens the VF, and whether it exists. */
  readonly file: string;
  readonly openable: boolean;
  /** The processes that have the file open, such as `qemu-kvm (4711)`. */
  readonly users: readonly string[];
  readonly pf?: {
    readonly link: string;
    readonly index: number;
    readonly up: boolean;
    readonly carrier: boolean;
    readonly mtu: number;
    /** As `spoofchk on`. */
    readonly settings: readonly string[];
    /** The settings that differ from the record, as CHECK reports them. */
    readonly differences: readonly Difference[];
    /** The numbers of the PF's other VFs with the same MAC address. */
    readonly twins: readonly number[];
  };
  /** Why the PF could not be read. */
  readonly fault?: string;
}
