// What is seen of a pod: everything that a diagnosis is made from, and nothing that is concluded.
import type { Fact } from "../fact.ts";
import type { Change } from "../plan/change.ts";
import type { DeviceChange } from "../plan/device.ts";
import type { Difference } from "../plan/differences.ts";
import type { Entry, Recorded } from "../plan/journal.ts";
import type { ObservedLink } from "../plan/state.ts";

/** One look at one pod. */
export interface PodSurvey {
  readonly netns: { readonly path: string; readonly inode: number };
  /**
   * Whether another call of these plugins was at work in the namespace all the while: what was seen
   * may be half done.
   */
  readonly busy: boolean;
  readonly links: readonly SurveyedLink[];
  /** Those that a diagnosis looks at, by name; one that the kernel lacks is absent. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** The MAC addresses that bridges have learnt, and at which port. */
  readonly stations: readonly { readonly mac: string; readonly port: string }[];
  /** Those of ADDs that changed the namespace itself. */
  readonly records: readonly SurveyedRecord[];
  /** Those of ADDs that gave it a device. */
  readonly allocations: readonly SurveyedRecord<DeviceChange>[];
  /** Why records could not be read. */
  readonly unreadable: readonly Fact[];
  /** The VFs that the records say the pod has. */
  readonly vfs: readonly SurveyedVf[];
  /** The processes of the namespace that have a tap open. */
  readonly holders: readonly { readonly name: string; readonly pid: number; readonly tap: string }[];
}

/** A link, with what plans do not care about. */
export interface SurveyedLink extends ObservedLink {
  /**
   * Of a tap: whether somebody has it open; of others: whether the other end is there and up.
   * Always false while the link is down.
   */
  readonly carrier: boolean;
  /** Addresses that somebody else on the network has too, as duplicate address detection found. */
  readonly duplicates: readonly string[];
  /** Of a bridge. */
  readonly stp?: boolean;
  /** Of a bridge's port: BR_STATE_*, 3 is forwarding. */
  readonly portState?: number;
  /** Of a tap; `queues` where it is a multi-queue one: how many are open. */
  readonly persist?: boolean;
  readonly vnetHeader?: boolean;
  readonly queues?: number;
}

/** A record of an ADD, of whichever plugin, that names the pod's namespace. */
export interface SurveyedRecord<C = Change> extends Recorded<Entry<C>> {
  /** Where it is. */
  readonly directory: string;
  /** Whether it is of this namespace, and not of one that had its path before. */
  readonly here: boolean;
}

/** A VF that a record gives to the pod. */
export interface SurveyedVf {
  readonly device: string;
  /** Whether it is still the one that was given, and not gone or made anew. */
  readonly there: boolean;
  readonly driver?: string;
  readonly group?: string;
  /** Whether the driver is one of VFIO's. */
  readonly handedOver: boolean;
  /**
   * The other devices of the group that keep it from being handed over, such as `0000:01:00.0 is on
   * igb`.
   */
  readonly offenders: readonly string[];
  /** The file by which it is opened, and whether it is there. */
  readonly file: string;
  readonly openable: boolean;
  /** Who has that file open, such as `qemu-kvm (4711)`. */
  readonly users: readonly string[];
  readonly pf?: {
    readonly link: string;
    readonly index: number;
    readonly up: boolean;
    readonly carrier: boolean;
    readonly mtu: number;
    /** As `spoofchk on`. */
    readonly settings: readonly string[];
    /** Those that are not as they were asked for, as CHECK finds them. */
    readonly differences: readonly Difference[];
    /** The numbers of the PF's other VFs with the same MAC address. */
    readonly twins: readonly number[];
  };
  /** Why the PF could not be asked. */
  readonly fault?: string;
}
