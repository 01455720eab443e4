import t from "tap";
import {
  type Attachment,
  blockedDataDir,
  collect,
  type Netconf,
  newDataDir,
  validAttachments,
} from "../../../harness/attachment.ts";
import { type Call, callPlugin } from "../../../harness/plugin.ts";
import { createPod, createPods } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { readOnlySysctls, withSysctls } from "./mounts.ts";
import { closed, open, passtOf, rightsIn } from "./rights.ts";

const silent = { status: 0, stdout: "", stderr: "" };

/**
 * Creates pods with one attachment each, all in one journal.
 *
 * The last attachment belongs to the network `other`, all others to the network `passt-binding`.
 */
async function preparedPods(t: Scope, length: number) {
  const dataDir = await newDataDir(t, "passt-binding");
  const pods = await createPods(t, length);
  const passts: Attachment[] = [];
  for (const [position, pod] of pods.entries()) {
    const netconf = position === length - 1 ? { name: "other" } : {};
    const passt = await passtOf(t, pod, { dataDir, netconf });
    await passt.add();
    passts.push(passt);
  }
  return { pods, passts, states: () => Promise.all(pods.map(({ namespace }) => rightsIn(namespace))) };
}

t.test("GC reports a read-only /proc/sys for every attachment, and removes them once it is writable", async (t) => {
  const { passts, states } = await preparedPods(t, 3);
  const extra = { ...passts[0]!.netconf, ...validAttachments() };
  const answer = await callPlugin("passt-binding", "GC", { node: passts[0]!.call.node!, ...readOnlySysctls }, extra);
  t.match(answer, { status: 1, error: { code: 5, msg: String } });
  t.ok(answer.stdout.split("EROFS").length > 4, "two sysctls of two attachments");
  t.same(await states(), [open, open, open]);
  t.match(await collect(passts[0]!, validAttachments()), silent);
  t.same(await states(), [closed, closed, open]);
});

const status = (netconf: Netconf, call: Call = {}) =>
  callPlugin("passt-binding", "STATUS", call, { cniVersion: "1.1.0", name: "n", type: "passt-binding", ...netconf });

const ports = "net.ipv4.ip_unprivileged_port_start";
const groups = "net.ipv4.ping_group_range";
const readOnly = "cannot be written: /proc/sys is read-only here, which it is not in a privileged container";
/** Nodes that cannot serve an ADD, and the whole message that STATUS and ADD report. */
const nodes: Record<string, { call: Call; msg: string }> = {
  "STATUS and ADD report a node without either sysctl": {
    call: withSysctls(),
    msg: `${ports}: the kernel has no such sysctl; ${groups}: the kernel has no such sysctl`,
  },
  "STATUS and ADD report a node without ping_group_range": {
    call: withSysctls("net/ipv4/ip_unprivileged_port_start"),
    msg: `${groups}: the kernel has no such sysctl`,
  },
  "STATUS and ADD report a node without ip_unprivileged_port_start": {
    call: withSysctls("net/ipv4/ping_group_range"),
    msg: `${ports}: the kernel has no such sysctl`,
  },
  "STATUS and ADD report a node with a read-only /proc/sys": {
    call: readOnlySysctls,
    msg: `${ports}: ${readOnly}; ${groups}: ${readOnly}`,
  },
};
t.test("STATUS fails with code 50 on a node that cannot serve an ADD, and ADD with the same message", async (t) => {
  for (const [what, { call, msg }] of Object.entries(nodes))
    await t.test(what, async (t) => {
      const pod = await createPod(t);
      const passt = await passtOf(t, pod);
      const inquiry = await status({ dataDir: passt.dataDir }, call);
      t.match(inquiry, { status: 1, error: { cniVersion: "1.1.0", code: 50 } });
      t.equal(inquiry.error!.msg, msg);
      const addition = await passt.run("ADD", {}, call);
      t.match(addition, { status: 1, error: { cniVersion: "1.1.0", code: 102 } });
      t.equal(addition.error!.msg, msg);
      t.same(await rightsIn(pod.namespace), closed);
      t.same(await passt.journal(), []);
      t.match(await passt.run("DEL", {}, call), silent, "which needs no DEL, and has one");
    });
});

t.test("STATUS reports all faults at once", async (t) => {
  const dataDir = await blockedDataDir(t, "passt-binding");
  const { status: ended, error } = await status({ dataDir }, readOnlySysctls);
  t.match({ ended, code: error?.code }, { ended: 1, code: 50 });
  for (const words of [ports, groups, dataDir]) t.ok(error!.msg.includes(words), words);
});

t.test("STATUS ignores the interface, which is in the pod", async (t) => {
  t.match(await status({ dataDir: await newDataDir(t, "passt-binding"), interface: "nolink" }), silent);
});
