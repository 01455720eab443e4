// What a runtime tells: the environment, and a configuration with its prevResult on standard input,
// of any verb and any of our plugins. One document comes of it.
import { answer } from "../../../../lib/cni/answer.ts";
import { code } from "../../../../lib/cni/errors.ts";
import { requestedMac } from "../../../../lib/cni/mac.ts";
import type { NetconfSchema, Plugin } from "../../../../lib/cni/plugin.ts";
import { deviceInfoFile } from "../../../../lib/kubevirt/device-info.ts";
import { schema as bridge } from "../../../../plugins/bridge-binding/netconf.ts";
import { schema as passt } from "../../../../plugins/passt-binding/netconf.ts";
import { schema as sriov } from "../../../../plugins/sriov-vfio/netconf.ts";
import { Machine } from "../../cni/machine.ts";

const netconfs = [bridge, passt, sriov] as readonly NetconfSchema<unknown, unknown>[];
const verbs = ["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"];
const variables = ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_ARGS", "CNI_NETNS", "CNI_PATH"] as const;
const usual = ["container", "net1", "", "/run/netns/blue", "/opt/cni/bin"];

/**
 * What a plugin reads of a call beyond its netconf, without a kernel: a previous result is passed
 * on, in whichever version is asked for.
 */
function pluginOf(index: number): Plugin<unknown, unknown> {
  return {
    name: "fuzzed",
    about: "",
    schema: netconfs[index % netconfs.length]!,
    add: (call) => {
      requestedMac(call, undefined);
      deviceInfoFile(call.object);
      return call.prevResult ?? {};
    },
    del: () => undefined,
    check: () => undefined,
    gc: () => undefined,
    status: () => undefined,
  };
}

/**
 * Two bytes choose plugin and verb; then come the variables, each to the next NUL, an empty one as
 * it usually is; what is left is standard input.
 */
export function fuzz(data: Buffer): void {
  const [plugin = 0, verb = 0] = data;
  const parts = data.subarray(2).toString("utf8").split("\0");
  const env = Object.fromEntries(variables.map((name, at) => [name, parts[at] || usual[at]!]));
  const asked = verbs[verb % verbs.length]!;
  const machine = new Machine({ ...env, CNI_COMMAND: asked }, parts.slice(variables.length).join("\0"));
  const status = answer(pluginOf(plugin), machine);
  if (status === 0) {
    if ((asked === "ADD" || asked === "VERSION") !== (machine.stdout !== "")) throw new Error(`${asked}: wrong output`);
    if (machine.stdout !== "") JSON.parse(machine.stdout);
    return;
  }
  const failure = JSON.parse(machine.stdout) as { code: number; msg: string };
  if (failure.code === code.internal) throw new Error(`a fault of ours: ${machine.stdout}`);
  if (!Object.values<number>(code).includes(failure.code) || failure.msg === "") throw new Error(machine.stdout);
}
