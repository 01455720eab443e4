// What KubeVirt tells a binding plugin: `cni-args` of the pod's annotation, which Multus puts into
// the configuration's `args.cni`.
import { CniError, code } from "../cni/errors.ts";
import { isObject, type JsonObject } from "../cni/json.ts";

/**
 * The network's name in the VM's specification, `args.cni.logicNetworkName`; undefined where the
 * plugin is not called as a binding.
 * Throws a CniError 7 where it is there and is no name.
 */
export function logicNetworkName(netconf: JsonObject): string | undefined {
  const cni = isObject(netconf.args) ? netconf.args.cni : undefined;
  const name = isObject(cni) ? cni.logicNetworkName : undefined;
  if (name === undefined || name === null) return undefined;
  if (typeof name === "string" && name !== "") return name;
  const words = `args.cni.logicNetworkName: must be the network's name in the VM's specification, not ${JSON.stringify(name)}`;
  throw new CniError(code.badConfiguration, words);
}
