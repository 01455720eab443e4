// The verbs of sriov-vfio.
import { CniError, code } from "../../lib/cni/errors.ts";
import { isObject, type JsonObject } from "../../lib/cni/json.ts";
import { requestedMac } from "../../lib/cni/mac.ts";
import type { Attachment, Collection, Detachment, Inquiry } from "../../lib/cni/plugin.ts";
import type { Result } from "../../lib/cni/results.ts";
import { throwAll } from "../../lib/failures.ts";
import type { NodeDevices } from "../../lib/kernel/devices.ts";
import { entranceFault } from "../../lib/kernel/namespaces.ts";
import { sha256 } from "../../lib/kernel/node.ts";
import { tree } from "../../lib/kernel/pci.ts";
import { deviceInfoFile } from "../../lib/kubevirt/device-info.ts";
import { macFromHex } from "../../lib/net/mac.ts";
import { bindings, type DeviceChange } from "../../lib/plan/device.ts";
import { allocationsIn } from "../../lib/plugin/node.ts";
import type { OperablePlugin, Prospect } from "../../lib/plugin/operator.ts";
import { isDevice, isPciAddress } from "../../lib/sysfs/pci.ts";
import { text } from "../../lib/sysfs/tree.ts";
import * as vfio from "../../lib/sysfs/vfio.ts";
import { look } from "./look.ts";
import { type Netconf, netconf, type Salvaged } from "./netconf.ts";
import { operatorOf } from "./operator.ts";
import { guestMac, isPrebound, obstacles, plan, type Situation } from "./plan.ts";
import { report } from "./report.ts";
import { unavailable } from "./status.ts";

export const sriovVfio: OperablePlugin<Netconf, Salvaged> = {
  name: "sriov-vfio",
  about: "configures an SR-IOV virtual function and hands it to a VM by VFIO",
  netconf,
  ipam: true,
  operator: operatorOf({
    deviceOf: namedDevice,
    situationOf: (kernel, call, device) => situationOf(kernel, call, { device, isAsking: false }),
    planOf,
    inspectionOf: inspect,
    requireDevice,
  }),

  add(call: Attachment<Netconf>): Result {
    const { containerId, ifname, network, netns, conf } = call;
    const device = deviceOf(call.object, conf);
    // Bad input is refused before the node is looked at.
    deviceInfoFile(call.object);
    requireDevice(device);
    // First, because it is given back by itself where anything fails later.
    const assigned = call.ipam?.add();
    const { situation } = allocationsIn(conf.dataDir).add(
      { containerId, ifname, network, netns: netns.path, device },
      (kernel) => {
        const situation = situationOf(kernel, call, { device, isAsking: true });
        const changes = planOf(situation);
        // Before anything is changed: of what can fail, this is the likeliest.
        for (const { to } of bindings(changes)) kernel.drivers.ensure(to.driver);
        return { situation, changes };
      },
    );
    const { mtu } = situation.found;
    return report(
      { name: ifname, sandbox: netns.path, mac: guestMac(situation), mtu, pciID: device },
      assigned,
      call.prevResult,
    );
  },

  del(call: Detachment<Salvaged>): void {
    allocationsIn(call.conf.dataDir).remove(call);
  },

  check(call: Attachment<Netconf>): void {
    const found = allocationsIn(call.conf.dataDir).differences({ ...call, netns: call.netns.path }, inspect);
    if (found.length > 0) throw new CniError(code.differs, found.join("; "));
  },

  gc(call: Collection<Salvaged>): void {
    const valid = call.valid.map(({ containerID, ifname }) => ({ containerId: containerID, ifname }));
    throwAll(allocationsIn(call.conf.dataDir).collect(call.network, valid));
  },

  status({ conf }: Inquiry<Netconf>): void {
    const faults = unavailable(conf, tree, entranceFault, () => allocationsIn(conf.dataDir).probe());
    if (faults.length > 0) throw new CniError(code.unavailable, faults.join("; "));
  },
};

/** Throws a CniError where there is no such PCI device. */
function requireDevice(device: string): void {
  if (!isDevice(tree, device))
    throw new CniError(
      code.obstructed,
      `${device}: is no PCI device of this node`,
      "a VF is there as long as its PF's sriov_numvfs is above its number",
    );
}

/** The changes that ADD is to make. Throws a CniError where the VF cannot be had. */
function planOf(situation: Situation): DeviceChange[] {
  const [first, ...others] = obstacles(situation);
  if (first !== undefined)
    throw new CniError(
      code.obstructed,
      [first, ...others].map(({ fact }) => fact).join("; "),
      [first, ...others].map(({ hint }) => hint).join("; "),
    );
  return plan(situation);
}

/** The VF's PCI address. Throws a CniError 7. */
function deviceOf(object: JsonObject, conf: Netconf): string {
  const device = namedDevice(object, conf);
  if (device !== undefined) return device;
  const hint =
    "Multus fills it in where the NetworkAttachmentDefinition has the annotation k8s.v1.cni.cncf.io/resourceName";
  throw new CniError(code.badConfiguration, "deviceID: is missing", hint);
}

/** The device plugin's choice, which the runtime passes on in one place or another; undefined where it did not. Throws a CniError 7 for what is no PCI address. */
function namedDevice({ runtimeConfig, pciBusID }: JsonObject, { deviceID }: Netconf): string | undefined {
  const given = isObject(runtimeConfig) ? runtimeConfig.deviceID : undefined;
  const [place, value] = [
    ["runtimeConfig.deviceID", given],
    ["deviceID", deviceID],
    ["pciBusID", pciBusID],
  ].find(([, found]) => found !== undefined && found !== null && found !== "") ?? ["deviceID", undefined];
  if (typeof value === "string" && isPciAddress(value)) return value;
  if (value === undefined) return undefined;
  throw new CniError(
    code.badConfiguration,
    `${place}: must be a PCI address such as 0000:3b:02.6, not ${JSON.stringify(value)}`,
  );
}

/** `isAsking`: whether to find out if the VF is in use, by opening it. */
function situationOf(
  kernel: NodeDevices,
  call: Prospect<Netconf>,
  { device, isAsking }: { readonly device: string; readonly isAsking: boolean },
): Situation {
  const { conf, containerId, ifname, network, args, object } = call;
  const mac = requestedMac(call, conf.mac);
  const path = deviceInfoFile(object);
  const present = path === undefined ? undefined : text(tree, path);
  const found = look(kernel, device);
  // Asked by opening it, which CHECK and explain must not do: a hypervisor that is about to open it would be refused.
  const use = found.group === undefined || !isAsking ? undefined : vfio.useOf(tree, found.group);
  return {
    conf,
    found,
    ...(use !== undefined && { use }),
    ...(mac !== undefined && { mac }),
    // The pod's, not the container's: the same one where the pod's sandbox is made anew.
    generatedMac: macFromHex(sha256([args.K8S_POD_UID ?? containerId, network, ifname].join("/"))),
    ...(path !== undefined && { info: { path, ...(present !== undefined && { present }) } }),
  };
}

/** What CHECK looks at beside what ADD changed: that user space can open the device. */
function inspect(kernel: NodeDevices, device: string): string[] {
  const found = look(kernel, device);
  if (!isPrebound(found)) return [`${device}: driver is ${found.binding.driver ?? "none"}, which is none of VFIO's`];
  const { group, offenders } = found;
  if (group === undefined) return [`${device}: is in no IOMMU group`];
  return [
    ...(vfio.fileOf(tree, device) === undefined ? [`${vfio.expectedFile(tree, device)}: is missing`] : []),
    ...offenders.map(
      ({ address, driver }) => `${device}: its IOMMU group ${group} is not viable: ${address} is on ${driver}`,
    ),
  ];
}
