// A file in the journal that says anything. It is refused with an Error, or undone and forgotten; a
// record is never passed over, and never without a word.
import { Allocations } from "../../../../lib/plan/allocations.ts";
import { Attachments } from "../../../../lib/plan/attachments.ts";
import { type Files, Journal } from "../../../../lib/plan/journal.ts";
import { MemoryKernel } from "../../plan/memory-kernel.ts";
import { pod } from "../../plan/pods.ts";
import { MemoryFiles } from "../../sysfs/memory-files.ts";

const here = { device: 4, inode: 7 };
const attachment = { containerId: "c", ifname: "net1" };

function filesOf(memory: MemoryFiles): Files {
  return {
    createFile: (path, text) => memory.file(path, text),
    makeDirectory: (path) => memory.directory(path),
    readDirectory: (path) => memory.names(path),
    readFile: (path, options) => memory.read(path, options),
    rename: (from, to) => memory.move(from, to),
    stat: (path, options) => ({ ...memory.find(path, options).entry, device: 1, uid: 0, mode: 0o700 }),
    unlink: (path) => {
      memory.find(path, { follow: false });
      memory.remove(path);
    },
  };
}

/** The first byte chooses the file and the kind of plugin, the rest is the file. */
export function fuzz(data: Buffer): void {
  const [choice = 0] = data;
  const memory = new MemoryFiles();
  const isDevice = (choice & 2) !== 0;
  const name = `${isDevice ? "0000:01:10.1" : "c:net1"}.${choice & 1 ? "pending" : "json"}`;
  memory.file(`/run/plugin/${name}`, data.subarray(1).toString("utf8"));
  const journal = new Journal("/run/plugin", filesOf(memory));
  const kernel = new MemoryKernel(pod());
  const failures: unknown[] = [];
  const attempt = (work: () => unknown): void => {
    try {
      work();
    } catch (failure) {
      failures.push(failure);
    }
  };
  if (isDevice) {
    const allocations = new Allocations(journal as never, {
      identify: () => here,
      enter: (_, work) => work(devices),
      outside: (work) => work(devices),
      isThere: () => false,
      identifyNetns: () => here,
      time: () => 1,
    });
    attempt(() => allocations.differences({ ...attachment, netns: "/run/netns/blue" }, () => []));
    attempt(() => allocations.remove(attachment));
    attempt(() => failures.push(...allocations.collect("fast", [])));
  } else {
    const attachments = new Attachments(journal, {
      identify: () => here,
      enter: (_, work) => work(kernel, here),
      inTurn: (_, work) => work(),
      time: () => 1,
    });
    attempt(() => attachments.differences(attachment, "/run/netns/blue"));
    attempt(() => attachments.remove(attachment, "/run/netns/blue"));
  }
  for (const failure of failures) if (!(failure instanceof Error)) throw new Error(`${failure} was thrown`);
}

const devices = { perform: () => undefined, revert: () => [], differences: () => [] };
