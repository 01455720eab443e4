// The operator commands of a plugin that hands a device of the node to a guest.
import { CniError, code } from "../cni/errors.ts";
import { factText } from "../fact.ts";
import { netnsFinder } from "../kernel/find-netns.ts";
import { tree } from "../kernel/pci.ts";
import { type Allocation, heldBy } from "../plan/allocations.ts";
import { bindings } from "../plan/device.ts";
import type { Recorded } from "../plan/entry.ts";
import { alreadyAttached } from "../plan/ledger.ts";
import { describeDeviceChanges } from "../plan/words.ts";
import { hasDriver, isDevice } from "../sysfs/pci.ts";
import type { DevicePlugin, PlannedDevice } from "./device.ts";
import { allocationsIn, commandLockTimeoutMs } from "./node.ts";
import type { DryRun, DryRunCall, Operator, Problem, Requirement } from "./operator.ts";
import type { Journaled } from "./pod.ts";
import { checkRecords, collectRecords, type RecordKeeper } from "./records.ts";
import { canEnterNetns, roomForRecord } from "./requirements.ts";

/** Returns what `check`, `gc`, `status` and `explain` call. */
export function deviceOperator<C extends Journaled, D extends Journaled, P extends PlannedDevice>(
  plugin: DevicePlugin<C, D, P>,
): Operator<C> {
  return {
    // A getter, so that no schema is built before it is needed.
    get dataDir(): string {
      return plugin.schema.salvage({}).dataDir;
    },
    check: (directory, only) => checkRecords(keeperOf(plugin, directory), only),
    collect: (directory, dryRun) => collectRecords(keeperOf(plugin, directory), dryRun),
    requirements: (conf) => deviceRequirements(plugin, conf),
    dryRun: (call) => dryRun(plugin, call),
  };
}

/** What STATUS checks. */
export function deviceRequirements<C extends Journaled>(
  plugin: Pick<DevicePlugin<C, Journaled, PlannedDevice>, "name" | "requirements">,
  conf: C,
): Requirement[] {
  const { dataDir } = conf;
  return [
    ...plugin.requirements(conf),
    canEnterNetns,
    roomForRecord(dataDir, () => allocationsIn(plugin, dataDir).probe()),
  ];
}

/** Throws a CniError if the node has no such PCI device. */
export function requirePresent(hint: string, address: string): void {
  if (!isDevice(tree, address))
    throw new CniError(code.obstructed, `${address}: no such PCI device on this node`, hint);
}

function keeperOf<C extends Journaled, D extends Journaled, P extends PlannedDevice>(
  { name, inspect }: DevicePlugin<C, D, P>,
  directory: string,
): RecordKeeper<Allocation> {
  const allocations = allocationsIn({ name }, directory, commandLockTimeoutMs);
  return {
    name,
    records: () => allocations.records(),
    examine(entry, netns): Problem[] | "interrupted" | undefined {
      const { address } = entry.device;
      // Under the device's lock: a record is pending while its ADD runs.
      const current = isDevice(tree, address)
        ? allocations.see(address, () => allocations.recordOf(address))
        : allocations.recordOf(address);
      if (current?.entry.containerId !== entry.containerId || current.entry.ifname !== entry.ifname) return undefined;
      if (current.pending) return "interrupted";
      return allocations.differences({ ...entry, netns }, inspect).map((difference) => ({
        fact: factText(difference),
        hint: "stop the VM and start it again: DEL restores the device, and ADD configures it",
      }));
    },
    remove(entry) {
      allocations.reclaim(entry);
      return true;
    },
    removal: ({ device: { address } }) => ({
      done: `restored the driver and the settings of ${address}`,
      due: `restores the driver and the settings of ${address}`,
    }),
    deviceOf: ({ device }) => device.address,
  };
}

function dryRun<C extends Journaled, D extends Journaled, P extends PlannedDevice>(
  plugin: DevicePlugin<C, D, P>,
  call: DryRunCall<C>,
): DryRun | undefined {
  const { conf, netns, ifname, object, prevResult, warn } = call;
  const address = plugin.deviceOf(object, conf);
  if (address === undefined) {
    warn("deviceID: is missing (Multus sets it from the device plugin); pass --device to print the plan");
    return undefined;
  }
  requirePresent(plugin.hints.absent, address);
  const allocations = allocationsIn(plugin, conf.dataDir, commandLockTimeoutMs);
  return allocations.see(address, (kernel): DryRun => {
    refuseTaken(allocations.recordOf(address), call);
    const planned = plugin.plan(kernel, call, { address, mayOpen: false });
    warn("not checked: whether a process has the device open, since a hypervisor that opens it now would be refused");
    for (const { to } of bindings(planned.changes))
      if (!hasDriver(tree, to.driver)) warn(`${to.driver}: is not loaded; ADD loads it with modprobe`);
    const isKnown = netns !== undefined && object.ipam === undefined;
    return {
      changes: planned.changes,
      words: describeDeviceChanges(planned.changes),
      ...(isKnown && {
        result: plugin.report(planned, { netns: netns.path, ifname, ...(prevResult && { prevResult }) }),
      }),
    };
  });
}

/** Refuses as ADD does. Warns if ADD would first undo what an earlier attachment left. */
function refuseTaken(
  recorded: Recorded<Allocation> | undefined,
  { warn, containerId, ifname }: Pick<DryRunCall<unknown>, "warn" | "containerId" | "ifname">,
): void {
  if (recorded === undefined) return;
  const { entry, pending } = recorded;
  const { address } = entry.device;
  if (!pending && entry.containerId === containerId && entry.ifname === ifname) throw new Error(alreadyAttached(entry));
  if (!pending && netnsFinder()(entry.netns).is !== "gone") throw new Error(heldBy(entry));
  warn(`${address}: ADD first undoes what container ${entry.containerId} left; the plan below starts after that`);
}
