// The plugin sriov-vfio.
import { CniError, code } from "../../lib/cni/errors.ts";
import { isObject, type JsonObject } from "../../lib/cni/json.ts";
import { requestedMac } from "../../lib/cni/mac.ts";
import type { NodeDevices } from "../../lib/kernel/devices.ts";
import { sha256 } from "../../lib/kernel/node.ts";
import { tree } from "../../lib/kernel/pci.ts";
import { deviceInfoFile } from "../../lib/kubevirt/device-info.ts";
import { macFromHex } from "../../lib/net/mac.ts";
import type { Difference } from "../../lib/plan/differences.ts";
import type { DeviceRequest, PlannedDevice } from "../../lib/plugin/device.ts";
import { devicePlugin } from "../../lib/plugin/device-plugin.ts";
import type { DryRunCall, OperablePlugin } from "../../lib/plugin/operator.ts";
import { isPciAddress } from "../../lib/sysfs/pci.ts";
import { readText } from "../../lib/sysfs/tree.ts";
import * as vfio from "../../lib/sysfs/vfio.ts";
import { look } from "./look.ts";
import { type Conf, type SalvagedConf, schema } from "./netconf.ts";
import { guestMac, isPrebound, obstacles, plan, type Situation } from "./plan.ts";
import { report } from "./report.ts";
import { requirements } from "./requirements.ts";

export const sriovVfio: OperablePlugin<Conf, SalvagedConf> = devicePlugin({
  name: "sriov-vfio",
  about: "configures an SR-IOV virtual function and hands it to a VM by VFIO",
  schema,

  deviceOf(object, conf) {
    deviceInfoFile(object);
    return namedDevice(object, conf);
  },

  hints: {
    unnamed: "Multus sets it if the NetworkAttachmentDefinition has the annotation k8s.v1.cni.cncf.io/resourceName",
    absent: "VF N exists while the sriov_numvfs of its PF is larger than N",
  },

  plan(kernel, call, request): Situation & PlannedDevice {
    const situation = situationOf(kernel, call, request);
    const found = obstacles(situation);
    if (found.length > 0)
      throw new CniError(
        code.obstructed,
        found.map(({ fact }) => fact),
        found.map(({ hint }) => hint).join("; "),
      );
    return { ...situation, changes: plan(situation) };
  },

  report(situation, { ifname, netns, assigned, prevResult }) {
    const { mtu, device } = situation.found;
    return report({ name: ifname, sandbox: netns, mac: guestMac(situation), mtu, pciID: device }, assigned, prevResult);
  },

  /** Whether user space can open the device. */
  inspect(kernel, device): Difference[] {
    const found = look(kernel, device);
    const about = (fact: string): Difference => ({ subject: device, fact });
    if (!isPrebound(found)) return [about(`driver is ${found.binding.driver ?? "none"}, which is none of VFIO's`)];
    const { group, offenders } = found;
    if (group === undefined) return [about("is in no IOMMU group")];
    const isOpenable = vfio.fileOf(tree, device) !== undefined;
    return [
      ...(isOpenable ? [] : [{ subject: vfio.expectedFile(tree, device), fact: "is missing" }]),
      ...offenders.map(({ address, driver }) =>
        about(`its IOMMU group ${group} is not viable: ${address} is on ${driver}`),
      ),
    ];
  },

  requirements: (conf) => requirements(conf, tree),
});

/**
 * Returns the device that the device plugin chose. Runtimes pass it in one of three fields.
 * Undefined without any of them. Throws a CniError 7.
 */
function namedDevice({ runtimeConfig, pciBusID }: JsonObject, { deviceID }: Conf): string | undefined {
  const fields: readonly (readonly [field: string, value: unknown])[] = [
    ["runtimeConfig.deviceID", isObject(runtimeConfig) ? runtimeConfig.deviceID : undefined],
    ["deviceID", deviceID],
    ["pciBusID", pciBusID],
  ];
  const named = fields.find(([, value]) => value !== undefined && value !== null && value !== "");
  if (named === undefined) return undefined;
  const [field, value] = named;
  if (typeof value === "string" && isPciAddress(value)) return value;
  const fact = `${field}: must be a PCI address such as 0000:3b:02.6, not ${JSON.stringify(value)}`;
  throw new CniError(code.badConfiguration, fact);
}

function situationOf(kernel: NodeDevices, call: DryRunCall<Conf>, { address, mayOpen }: DeviceRequest): Situation {
  const { conf, containerId, ifname, network, args, object } = call;
  const mac = requestedMac(call, conf.mac);
  const path = deviceInfoFile(object);
  const present = path === undefined ? undefined : readText(tree, path);
  const found = look(kernel, address);
  const use = found.group === undefined || !mayOpen ? undefined : vfio.useOf(tree, found.group);
  return {
    conf,
    found,
    ...(use !== undefined && { use }),
    ...(mac !== undefined && { mac }),
    // From the pod, not from the container: the address stays if the pod's sandbox is recreated.
    generatedMac: macFromHex(sha256([args.K8S_POD_UID ?? containerId, network, ifname].join("/"))),
    ...(path !== undefined && { info: { path, ...(present !== undefined && { present }) } }),
  };
}
