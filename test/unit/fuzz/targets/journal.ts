// A file in the journal that says anything. It is refused with an Error, or undone and forgotten; a
// record is never passed over, and never without a word.
import { Allocations } from "../../../../lib/plan/allocations.ts";
import { Attachments } from "../../../../lib/plan/attachments.ts";
import { MemoryTree } from "../../plan/memory-directory.ts";
import { MemoryKernel } from "../../plan/memory-kernel.ts";
import { pod } from "../../plan/pods.ts";

const here = { device: 4, inode: 7 };
const attachment = { containerId: "c", ifname: "net1" };

/** The first byte chooses the file and the kind of plugin, the rest is the file. */
export function fuzz(data: Buffer): void {
  const [choice = 0] = data;
  const tree = new MemoryTree();
  const isDevice = (choice & 2) !== 0;
  const state = choice & 1 ? "pending" : "json";
  // A record, a record of format 1, or a guard.
  const isFlat = (choice & 4) !== 0;
  const name = isFlat ? `${isDevice ? "0000:01:10.1" : "c:net1"}.${state}` : `c/net1.${state}`;
  tree.directories.add("/run/plugin").add("/run/plugin/c");
  tree.files.set(`/run/plugin/${name}`, data.subarray(1).toString("utf8"));
  const journal = tree.journal("/run/plugin");
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
    const alone = { probe: () => undefined, join: () => undefined, leave: () => undefined, others: () => [] };
    const attachments = new Attachments(
      journal,
      {
        identify: () => here,
        enter: (_, work) => work(kernel, here),
        inTurn: (work) => work(),
        time: () => 1,
      },
      alone,
    );
    attempt(() => attachments.differences(attachment, "/run/netns/blue"));
    attempt(() => attachments.remove(attachment, "/run/netns/blue"));
  }
  for (const failure of failures) if (!(failure instanceof Error)) throw new Error(`${failure} was thrown`);
}

const devices = { perform: () => undefined, revert: () => [], differences: () => [] };
