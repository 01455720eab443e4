// Reads what KubeVirt passes to a binding plugin: `cni-args` of the pod's annotation, which Multus
// copies to `args.cni` of the netconf.
import { CniError, code } from "../cni/errors.ts";
import { isObject, type JsonObject } from "../cni/json.ts";

/**
 * Returns the network's name in the VM's specification, `args.cni.logicNetworkName`. Undefined if
 * the plugin is not called as a binding.
 *
 * Throws a CniError 7 if the value is not a name.
 */
export function logicNetworkName(netconf: JsonObject): string | undefined {
  const cni = isObject(netconf.args) ? netconf.args.cni : undefined;
  const name = isObject(cni) ? cni.logicNetworkName : undefined;
  if (name === undefined || name === null) return undefined;
  if (typeof name === "string" && name !== "") return name;
  const words = `args.cni.logicNetworkName: must be the network's name in the VM's specification, not ${JSON.stringify(name)}`;
  throw new CniError(code.badConfiguration, words);
}
