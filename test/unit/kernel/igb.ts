// A node with igb VFs in memory, its devices, and the changes that tests make to VF 1.
import { asOne } from "../../../lib/failures.ts";
import { NodeDevices } from "../../../lib/kernel/devices.ts";
import { Netlink } from "../../../lib/netlink/client.ts";
import type { BindDriver, ConfigureVf, DeviceChange, VfSettings } from "../../../lib/plan/device.ts";
import { capture } from "../sysfs/captures.ts";
import { igbNode, type MemoryNode } from "../sysfs/memory-node.ts";
import { noMac } from "../sysfs/memory-pci.ts";

export const { pf, vfs, group } = capture;
/** The PCI address of VF 1. */
export const vf = vfs[1]!;

export function devicesOf(node: MemoryNode): NodeDevices {
  const socket = node.netlinkSocket();
  const rtnl = new Netlink({
    send: (datagram) => node.send(socket, datagram),
    receive: () => node.receive(socket),
    close: () => node.close(socket),
  });
  return new NodeDevices(node, rtnl, {
    loadModule: (name) => node.run("/usr/sbin/modprobe", { args: [name] }),
    replaceFile: (path, text) => node.pci.files.file(path, text),
    discardDraft: () => undefined,
    unlink: (path) => node.pci.files.remove(path),
  });
}

export function begin(): { node: MemoryNode; devices: NodeDevices; row: ReturnType<typeof rowOf> } {
  const node = igbNode();
  return { node, devices: devicesOf(node), row: rowOf(node) };
}

/** VF 1 in the PF's table. */
export function rowOf(node: MemoryNode) {
  return node.pci.vfs.get(pf)![1]!;
}

/** The settings of a new VF. */
export const untouched = {
  mac: noMac,
  vlan: { id: 0, qos: 0, protocol: "802.1q" },
  rate: { least: 0, most: 0 },
  spoofCheck: true,
  trust: false,
  linkState: "auto",
} as const;

/** Sets VF 1, a new VF except for `from`. */
export function configure(to: VfSettings, from: VfSettings = {}): ConfigureVf {
  const before = Object.entries(untouched).filter(([name]) => Object.hasOwn(to, name));
  return { do: "configureVf", pf, index: 1, from: { ...Object.fromEntries(before), ...from }, to };
}

/** Binds VF 1. */
export const toVfio: BindDriver = {
  do: "bindDriver",
  device: vf,
  from: { driver: "igbvf" },
  to: { driver: "vfio-pci" },
  links: ["eth3"],
};

/** Undoes changes of VF 1, and throws the failures. */
export function revert(devices: NodeDevices, ...changes: readonly DeviceChange[]): void {
  const [failure, ...others] = devices.revert(vf, changes);
  if (failure !== undefined) throw asOne([failure, ...others]);
}
