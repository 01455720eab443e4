// The node's own PCI devices, on which device plans are performed.
import * as host from "host";
import { ignoring } from "../errno.ts";
import { openRtnetlink } from "../netlink/socket.ts";
import type { Devices } from "../plan/allocations.ts";
import { isSameNetns } from "../plan/journal.ts";
import { deviceDirectoryOf, identityOf, isDevice } from "../sysfs/pci.ts";
import { isThere, type Tree } from "../sysfs/tree.ts";
import { type Node, NodeDevices } from "./devices.ts";
import { identifyNetns } from "./find-netns.ts";

/** sysfs and /dev of this node. */
export const tree: Tree = host;

/**
 * Returns the devices. `lockTimeoutMs` is how long a call waits for another call that holds the
 * same device.
 */
export const devicesIn = (lockTimeoutMs: number): Devices<NodeDevices> => ({
  time: () => host.monotonic(),

  identify: (address) => (isDevice(tree, address) ? identityOf(tree, address) : undefined),

  /** The lock is a flock on the device's directory. It ends with the process that holds it. */
  enter<T>(address: string, work: (kernel: NodeDevices) => T): T {
    const lock = host.lock(deviceDirectoryOf(address), lockTimeoutMs);
    try {
      return outside(work);
    } finally {
      host.close(lock);
    }
  },

  outside,

  identifyNetns,

  isThere(netns) {
    try {
      return isSameNetns(identifyNetns(netns.path), netns);
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
    node.discardDraft(path);
    makeDirectory(path.slice(0, path.lastIndexOf("/")));
    host.createFile(draftOf(path), text);
    host.rename(draftOf(path), path);
  },

  discardDraft(path) {
    ignoring(["ENOENT"], () => host.unlink(draftOf(path)));
  },

  unlink: (path) => host.unlink(path),
};

function draftOf(path: string): string {
  return `${path}.new`;
}

/** Creates a directory and its missing parents. */
function makeDirectory(path: string): void {
  if (path === "" || isThere(tree, path)) return;
  makeDirectory(path.slice(0, path.lastIndexOf("/")));
  // EEXIST: another call created it.
  ignoring(["EEXIST"], () => host.makeDirectory(path));
}

function isExecutable(path: string): boolean {
  try {
    return (host.stat(path).mode & 0o111) !== 0;
  } catch {
    return false;
  }
}
