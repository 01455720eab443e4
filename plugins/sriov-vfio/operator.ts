// sriov-vfio's part in the verbs for people.
import type { JsonObject } from "../../lib/cni/json.ts";
import type { NodeDevices } from "../../lib/kernel/devices.ts";
import { locator } from "../../lib/kernel/find-netns.ts";
import { entranceFault } from "../../lib/kernel/namespaces.ts";
import { tree } from "../../lib/kernel/pci.ts";
import { type Allocation, heldBy } from "../../lib/plan/allocations.ts";
import { attachedAlready } from "../../lib/plan/attachments.ts";
import type { DeviceChange } from "../../lib/plan/device.ts";
import { describeDevice } from "../../lib/plan/words.ts";
import { allocationsIn, commandLockTimeoutMs } from "../../lib/plugin/node.ts";
import type { Finding, Look, Operator, Preview, Prospect } from "../../lib/plugin/operator.ts";
import { inspect, type Keeper, sweep } from "../../lib/plugin/records.ts";
import { hasDriver, isDevice } from "../../lib/sysfs/pci.ts";
import { type Netconf, netconf } from "./netconf.ts";
import { guestMac, type Situation } from "./plan.ts";
import { report } from "./report.ts";
import { needs } from "./status.ts";

/** What ADD and CHECK do, too. */
export interface Parts {
  /** The device that the configuration names. Throws where that is none. */
  deviceOf(object: JsonObject, conf: Netconf): string | undefined;
  /** What the plan is made from, without opening the VF: whoever is about to would be refused. */
  situationOf(kernel: NodeDevices, call: Prospect<Netconf>, device: string): Situation;
  /** Throws what ADD refuses the VF with. */
  planOf(situation: Situation): DeviceChange[];
  /** What CHECK looks at beside what ADD changed. */
  inspectionOf(kernel: NodeDevices, device: string): string[];
  /** Throws where there is no such PCI device. */
  requireDevice(device: string): void;
}

/** What `check`, `gc`, `status` and `explain` are made from. */
export function operatorOf(parts: Parts): Operator<Netconf> {
  return {
    get dataDir(): string {
      return netconf.salvage({}).dataDir;
    },
    check: (directory, only) => inspect(keeperOf(parts, directory), only),
    collect: (directory, dryRun) => sweep(keeperOf(parts, directory), dryRun),
    looks,
    preview: (call) => preview(parts, call),
  };
}

function looks(conf: Netconf): Look[] {
  return [
    ...needs(conf, tree),
    { what: "network namespaces can be entered", fault: entranceFault },
    {
      what: `${conf.dataDir}: has room for a record`,
      fault: () => {
        allocationsIn(conf.dataDir).probe();
        return;
      },
    },
  ];
}

function keeperOf({ inspectionOf }: Parts, directory: string): Keeper<Allocation> {
  const allocations = allocationsIn(directory, commandLockTimeoutMs);
  return {
    name: "sriov-vfio",
    records: () => allocations.records(),
    examine(entry, netns): Finding[] | "interrupted" | undefined {
      const { address } = entry.device;
      // Under its lock: an ADD that is under way is not one that was killed.
      const current = isDevice(tree, address)
        ? allocations.see(address, () => allocations.recordOf(address))
        : allocations.recordOf(address);
      if (current?.entry.containerId !== entry.containerId || current.entry.ifname !== entry.ifname) return undefined;
      if (current.pending) return "interrupted";
      return allocations.differences({ ...entry, netns }, inspectionOf).map((fact) => ({
        fact,
        hint: "stop the VM and start it anew: DEL gives the VF back, and ADD sets it up again",
      }));
    },
    remove(entry) {
      allocations.reclaim(entry);
      return true;
    },
    removal: ({ device: { address } }) => ({
      done: `gave ${address} back with the driver and the settings that it had`,
      due: `gives ${address} back with the driver and the settings that it had`,
    }),
    deviceOf: ({ device }) => device.address,
  };
}

function preview(parts: Parts, call: Prospect<Netconf>): Preview | undefined {
  const { conf, netns, ifname, prevResult } = call;
  const device = parts.deviceOf(call.object, conf);
  if (device === undefined) {
    call.warn(
      "deviceID: is missing, which Multus fills in from the device plugin; give one by --device to see the plan",
    );
    return undefined;
  }
  parts.requireDevice(device);
  const allocations = allocationsIn(conf.dataDir, commandLockTimeoutMs);
  return allocations.see(device, (kernel): Preview => {
    refuseTaken(allocations.recordOf(device), call);
    const situation = parts.situationOf(kernel, call, device);
    const changes = parts.planOf(situation);
    call.warn(
      "whether a process has the VF open is not looked at: a hypervisor that opens it just then would be refused",
    );
    if (!hasDriver(tree, conf.driver)) call.warn(`${conf.driver}: is not loaded; ADD loads it by modprobe`);
    const { mtu } = situation.found;
    const isKnown = netns !== undefined && call.object.ipam === undefined;
    return {
      changes,
      words: describeDevice(changes),
      ...(isKnown && {
        result: report(
          { name: ifname, sandbox: netns.path, mac: guestMac(situation), mtu, pciID: device },
          undefined,
          prevResult,
        ),
      }),
    };
  });
}

/** As ADD does; says so where it would first put right what an earlier one left. */
function refuseTaken(
  recorded: { readonly entry: Allocation; readonly pending: boolean } | undefined,
  { warn, containerId, ifname }: Prospect<Netconf>,
): void {
  if (recorded === undefined) return;
  const { entry, pending } = recorded;
  const { address } = entry.device;
  if (!pending && entry.containerId === containerId && entry.ifname === ifname) throw new Error(attachedAlready(entry));
  if (!pending && locator()(entry.netns).is !== "gone") throw new Error(heldBy(entry));
  warn(`${address}: what container ${entry.containerId} left of it is undone first, and the plan is made after that`);
}
