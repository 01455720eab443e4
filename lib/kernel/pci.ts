// The node's own PCI devices, on which device plans are performed.
import * as host from "host";
import { belowDeviceInfo, roots } from "../cni/roots.ts";
import { openRtnetlink } from "../netlink/socket.ts";
import type { Devices } from "../plan/allocations.ts";
import type { Directory } from "../plan/directory.ts";
import { isSameIdentity } from "../plan/entry.ts";
import { deviceDirectoryOf, identityOf, isDevice } from "../sysfs/pci.ts";
import type { Tree } from "../sysfs/tree.ts";
import { type Node, NodeDevices } from "./devices.ts";
import { openDirectory } from "./directory.ts";
import { bootOf, identifyNetns } from "./find-netns.ts";
import { deviceLock, takeLock } from "./locks.ts";
import type { SharedDirectory } from "./roots.ts";

/** sysfs and /dev of this node. */
export const tree: Tree = host;

/**
 * Returns the devices. `lockTimeoutMs` is how long a call waits for another call that holds the
 * same device.
 */
export const devicesIn = (lockTimeoutMs: number, shared: SharedDirectory): Devices<NodeDevices> => ({
  time: () => host.monotonic(),

  identify: (address) => (isDevice(tree, address) ? { ...identityOf(tree, address), ...bootOf() } : undefined),

  enter<T>(address: string, work: (kernel: NodeDevices) => T): T {
    const directory = deviceDirectoryOf(address);
    // ENOENT if the device does not exist.
    host.stat(directory);
    const release = takeLock(deviceLock(address, directory), lockTimeoutMs, shared);
    try {
      return outside(work);
    } finally {
      release();
    }
  },

  outside,

  identifyNetns,

  isThere(netns) {
    try {
      return isSameIdentity(identifyNetns(netns.path), netns);
    } catch {
      return false;
    }
  },
});

function outside<T>(work: (kernel: NodeDevices) => T): T {
  const { rtnl } = openRtnetlink();
  try {
    return work(new NodeDevices(tree, rtnl, node));
  } finally {
    rtnl.close();
  }
}

const node: Node = {
  loadModule(name) {
    const path = ["/usr/sbin/modprobe", "/sbin/modprobe"].find(isExecutable);
    if (path === undefined) throw new Error(`${name}: is not loaded, and the node has no modprobe to load it`);
    const { status } = host.run(path, {
      args: ["--", name],
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
      stdin: "",
      timeout: 30_000,
    });
    if (status !== 0) throw new Error(`${name}: is not loaded, and modprobe could not load it (exit status ${status})`);
  },

  replaceFile(path, text) {
    inDeviceInfo(path, { create: true }, (directory, name) => {
      directory.unlink(draftOf(name));
      directory.create(draftOf(name), text);
      directory.rename(draftOf(name), name);
    });
  },

  discardDraft: (path) => inDeviceInfo(path, { create: false }, (directory, name) => directory.unlink(draftOf(name))),

  unlink: (path) => inDeviceInfo(path, { create: false }, (directory, name) => directory.unlink(name)),
};

/** Calls back with the directory of a file of device information, unless it is missing. */
function inDeviceInfo(
  path: string,
  options: { readonly create: boolean },
  work: (directory: Directory, name: string) => void,
): void {
  const below = belowDeviceInfo(path);
  if (below === undefined) throw new Error(`${path}: is not a file of device information`);
  const parts = below.split("/");
  const name = parts.pop()!;
  const root = openDirectory(roots().deviceInfo, options);
  const directory = parts.length === 0 ? root : root?.open(parts.join("/"), options);
  try {
    if (directory !== undefined) work(directory, name);
  } finally {
    root?.close();
    if (directory !== root) directory?.close();
  }
}

function draftOf(path: string): string {
  return `${path}.new`;
}

function isExecutable(path: string): boolean {
  try {
    return (host.stat(path).mode & 0o111) !== 0;
  } catch {
    return false;
  }
}
