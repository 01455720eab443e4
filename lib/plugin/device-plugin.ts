// Derives all verbs of a plugin from its plan for a device of the node: ADD performs the plan, the
// other verbs work from the journal.
import { CniError, code } from "../cni/errors.ts";
import type { JsonObject } from "../cni/json.ts";
import type { AddCall, DelCall, GcCall, StatusCall } from "../cni/plugin.ts";
import type { Result } from "../cni/results.ts";
import { factText } from "../fact.ts";
import { throwAll } from "../failures.ts";
import { bindings } from "../plan/device.ts";
import type { DevicePlugin, PlannedDevice } from "./device.ts";
import { deviceOperator, deviceRequirements, requirePresent } from "./device-operator.ts";
import { allocationsIn } from "./node.ts";
import type { OperablePlugin } from "./operator.ts";
import type { Journaled } from "./pod.ts";
import { podIn } from "./pod-operator.ts";
import { requireAll } from "./requirements.ts";

/** Returns the plugin. ADD is all or nothing. DEL, GC and a failed ADD restore the device. */
export function devicePlugin<C extends Journaled, D extends Journaled, P extends PlannedDevice>(
  plugin: DevicePlugin<C, D, P>,
): OperablePlugin<C, D> {
  const { name, about, schema } = plugin;
  return {
    name,
    about,
    schema,
    ipam: true,
    operator: deviceOperator(plugin),

    add(call: AddCall<C>): Result {
      const { containerId, ifname, network, netns, conf, prevResult } = call;
      const address = requiredDevice(plugin, call.object, conf);
      requirePresent(plugin.hints.absent, address);
      // First: the caller releases the addresses if anything fails later.
      const assigned = call.ipam?.add();
      const planned = allocationsIn(plugin, conf.dataDir).add(
        { containerId, ifname, network, ...podIn(call.args), netns: netns.path, device: address },
        (kernel) => {
          const planned = plugin.plan(kernel, call, { address, mayOpen: true });
          // Before anything is changed: a missing module is the likeliest failure.
          for (const { to } of bindings(planned.changes)) kernel.drivers.ensure(to.driver);
          return planned;
        },
      );
      return plugin.report(planned, {
        netns: netns.path,
        ifname,
        ...(assigned && { assigned }),
        ...(prevResult && { prevResult }),
      });
    },

    del(call: DelCall<D>): void {
      allocationsIn(plugin, call.conf.dataDir).remove(call);
    },

    check(call: AddCall<C>): void {
      const found = allocationsIn(plugin, call.conf.dataDir).differences(
        { ...call, netns: call.netns.path },
        plugin.inspect,
      );
      if (found.length > 0) throw new CniError(code.differs, found.map(factText));
    },

    gc({ conf, network, valid }: GcCall<D>): void {
      const kept = valid.map(({ containerID, ifname }) => ({ containerId: containerID, ifname }));
      throwAll(allocationsIn(plugin, conf.dataDir).collect(network, kept));
    },

    status({ conf }: StatusCall<C>): void {
      requireAll(deviceRequirements(plugin, conf));
    },
  };
}

type Named<C extends Journaled> = Pick<DevicePlugin<C, Journaled, PlannedDevice>, "deviceOf" | "hints">;

function requiredDevice<C extends Journaled>(plugin: Named<C>, object: JsonObject, conf: C): string {
  const address = plugin.deviceOf(object, conf);
  if (address === undefined) throw new CniError(code.badConfiguration, "deviceID: is missing", plugin.hints.unnamed);
  return address;
}
