// sysfs that says anything, of a node with VFs: what is read of it is a value or an Error that says
// what is wrong, and ends.
import * as pci from "../../../../lib/sysfs/pci.ts";
import * as sriov from "../../../../lib/sysfs/sriov.ts";
import type { Tree } from "../../../../lib/sysfs/tree.ts";
import * as vfio from "../../../../lib/sysfs/vfio.ts";
import { capture } from "../../sysfs/captures.ts";
import { igbNode } from "../../sysfs/memory-node.ts";

/** What can be replaced, as paths of a node that nobody has touched. */
const paths = igbNode()
  .pci.files.below("")
  .map(([path]) => path)
  .filter((path) => path.startsWith("/sys/"));

const vf = capture.vfs[1]!;

/**
 * Each change is the number of a path (16 bits), what is done to it (8 bits), the length of a text
 * (8 bits), and the text.
 */
export function fuzz(data: Buffer): void {
  const node = igbNode();
  const { files } = node.pci;
  for (let at = 0; at + 4 <= data.length; ) {
    const path = paths[data.readUInt16LE(at) % paths.length]!;
    const [how, length] = [data[at + 2]!, data[at + 3]!];
    const text = data.subarray(at + 4, at + 4 + length).toString("utf8");
    at += 4 + length;
    files.remove(path);
    if (how % 3 === 1) files.file(path, text);
    if (how % 3 === 2) files.link(path, text);
  }
  let now = 0;
  const tree: Tree = {
    readFile: (path) => files.read(path),
    writeFile: () => undefined,
    readDirectory: (path) => files.names(path),
    readLink: (path) => files.target(path),
    stat: (path) => ({ ...files.find(path).entry, device: 1, uid: 0, mode: 0o644, changed: 0 }),
    lock: (path) => files.find(path).entry.inode,
    close: () => undefined,
    monotonic: () => now++,
    sleep: (milliseconds) => {
      now += milliseconds;
    },
  };
  const looks: readonly (() => unknown)[] = [
    () => pci.isDevice(tree, vf),
    () => pci.identityOf(tree, vf),
    () => pci.describeDevice(tree, vf),
    () => pci.overrideOf(tree, vf),
    () => sriov.virtualFunctions(tree),
    () => vfio.hasIommu(tree),
    () => {
      const found = sriov.virtualFunction(tree, vf);
      if (found === undefined) return;
      if (!Number.isInteger(found.index)) throw new TypeError(`VF ${found.index}`);
      sriov.vfAddressOf(tree, found);
      sriov.capacityOf(tree, found.pf);
      sriov.uplinkOf(tree, found.pf);
    },
    () => {
      const group = vfio.groupOf(tree, vf);
      vfio.fileOf(tree, vf);
      vfio.expectedFile(tree, vf);
      if (group === undefined) return;
      vfio.offendersOf(tree, group, vf);
      vfio.useOf(tree, group);
    },
  ];
  for (const look of looks) {
    try {
      look();
    } catch (failure) {
      if (!(failure instanceof Error) || failure.name !== "Error") throw failure;
    }
  }
}
