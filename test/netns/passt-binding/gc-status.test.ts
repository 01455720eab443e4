import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import t from "tap";
import { type Attachment, collect, type Netconf, newDataDir, validAttachments } from "../../harness/attachment.ts";
import { removeNamespaces } from "../../harness/namespaces.ts";
import { type Call, callPlugin } from "../../harness/plugin.ts";
import { createPod, createPods } from "../../harness/pod.ts";
import type { Scope } from "../../harness/scope.ts";
import { readOnlySysctls, withSysctls } from "./mounts.ts";
import { closed, open, passtOf, prepared, rightsIn } from "./rights.ts";

const silent = { status: 0, stdout: "", stderr: "" };

/** Pods where an ADD has succeeded, all in one journal: of the network `passt-binding`, and the last one of the network `other`. */
async function preparedPods(t: Scope, length: number) {
  const dataDir = await newDataDir(t);
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

t.test("GC undoes the attachments of its network that are not valid any more, and no others", async (t) => {
  const { passts, states } = await preparedPods(t, 4);
  t.match(await collect(passts[0]!, validAttachments(passts[1]!)), silent);
  t.same(await states(), [closed, open, closed, open]);
  t.equal((await passts[0]!.journal()).length, 2);
  t.match(await collect(passts[0]!, validAttachments(passts[1]!)), silent, "twice is as once");
  t.same(await states(), [closed, open, closed, open]);
  t.match(await collect(passts[0]!, validAttachments()), silent, "an empty list: none is valid");
  t.same(await states(), [closed, closed, closed, open]);
  t.match(await collect(passts[3]!, validAttachments()), silent, "the other network's own");
  t.same(await states(), [closed, closed, closed, closed]);
  t.same(await passts[0]!.journal(), []);
});

t.test("GC without a list, or with null, undoes nothing", async (t) => {
  const { passts, states } = await preparedPods(t, 2);
  for (const extra of [{}, { "cni.dev/valid-attachments": null }, { "cni.dev/attachments": null }]) {
    t.match(await collect(passts[0]!, extra), silent);
    t.same(await states(), [open, open]);
  }
});

t.test("GC with what is no list of attachments fails, and undoes nothing", async (t) => {
  const { passts, states } = await preparedPods(t, 2);
  for (const list of ["none", {}, [null], [{ containerID: "x" }], [{ containerId: "x", ifname: "net1" }]]) {
    const answer = await collect(passts[0]!, { "cni.dev/valid-attachments": list });
    t.match(answer, { status: 1, error: { code: 7, msg: /cni\.dev\/valid-attachments/ } });
  }
  t.same(await states(), [open, open]);
});

t.test("GC takes the list that runtimes wrote before 1.1.0 was final", async (t) => {
  const { passts, states } = await preparedPods(t, 3);
  await collect(passts[0]!, { "cni.dev/attachments": validAttachments(passts[1]!)["cni.dev/valid-attachments"] });
  t.same(await states(), [closed, open, open]);
});

t.test("GC needs no configuration but its network's name: what is faulty is passed over", async (t) => {
  const { passts, states } = await preparedPods(t, 2);
  const faulty = { unprivilegedPortStart: "x", pingGroupRange: [2, 1], interface: "nolink", unknown: 1 };
  t.match(await collect(passts[0]!, { ...validAttachments(), ...faulty }), { status: 0, stdout: "" });
  t.same(await states(), [closed, open]);
});

t.test("GC forgets attachments whose namespace is gone", async (t) => {
  const { pods, passts } = await preparedPods(t, 2);
  await removeNamespaces([pods[0]!.namespace]);
  t.match(await collect(passts[0]!, validAttachments()), silent);
  t.same(await passts[0]!.journal(), [`${pods[1]!.containerId}:net1.json`]);
});

t.test("GC goes on past a record that cannot be read, undoes the others, and reports", async (t) => {
  const { passts, states } = await preparedPods(t, 3);
  const { dataDir } = passts[0]!;
  await writeFile(`${dataDir}/aaa:net1.json`, "{", { mode: 0o600 });
  const answer = await collect(passts[0]!, validAttachments());
  t.match(answer, { status: 1, error: { code: 102 } });
  t.match(answer.stdout, /aaa:net1\.json/);
  t.same(await states(), [closed, closed, open]);
});

t.test(
  "GC where /proc/sys is read-only names every attachment's failure, and undoes them where it is not",
  async (t) => {
    const { passts, states } = await preparedPods(t, 3);
    const extra = { ...passts[0]!.netconf, ...validAttachments() };
    const answer = await callPlugin("passt-binding", "GC", { node: passts[0]!.call.node!, ...readOnlySysctls }, extra);
    t.match(answer, { status: 1, error: { code: 5, msg: String } });
    t.ok(answer.stdout.split("EROFS").length > 4, "two sysctls of two attachments");
    t.same(await states(), [open, open, open]);
    t.match(await collect(passts[0]!, validAttachments()), silent);
    t.same(await states(), [closed, closed, open]);
  },
);

t.test("GC needs CNI_PATH and version 1.1.0", async (t) => {
  const { passts, states } = await preparedPods(t, 2);
  const answer = await collect(passts[0]!, validAttachments(), { CNI_PATH: "" });
  t.match(answer, { status: 1, error: { code: 4, msg: "required env variables [CNI_PATH] missing" } });
  for (const cniVersion of ["0.4.0", "1.0.0"]) {
    const older = await collect(passts[0]!, { ...validAttachments(), cniVersion });
    t.match(older, { status: 1, error: { cniVersion, code: 1, msg: "config version does not allow GC" } });
  }
  t.same(await states(), [open, open]);
});

const status = (netconf: Netconf, call: Call = {}) =>
  callPlugin("passt-binding", "STATUS", call, { cniVersion: "1.1.0", name: "n", type: "passt-binding", ...netconf });

t.test("STATUS is silent where an ADD could be served, changes nothing, and leaves nothing behind", async (t) => {
  const { pod, passt } = await prepared(t);
  for (let time = 0; time < 2; time++) t.match(await status({ dataDir: passt.dataDir }, { node: pod.node }), silent);
  t.same(await Promise.all([pod.node, pod.namespace].map(rightsIn)), [closed, open]);
  t.same(await passt.journal(), [`${pod.containerId}:net1.json`]);
  t.match(await passt.check(), silent);
});

const ports = "net.ipv4.ip_unprivileged_port_start";
const groups = "net.ipv4.ping_group_range";
const readOnly = "cannot be written: /proc/sys is read-only here, which it is not in a privileged container";
/** Nodes that cannot serve an ADD, and all that is said of them. */
const nodes: Record<string, { call: Call; msg: string }> = {
  "without either sysctl": {
    call: withSysctls(),
    msg: `${ports}: the kernel has no such sysctl; ${groups}: the kernel has no such sysctl`,
  },
  "without the groups": {
    call: withSysctls("net/ipv4/ip_unprivileged_port_start"),
    msg: `${groups}: the kernel has no such sysctl`,
  },
  "without the ports": {
    call: withSysctls("net/ipv4/ping_group_range"),
    msg: `${ports}: the kernel has no such sysctl`,
  },
  "whose /proc/sys is read-only": { call: readOnlySysctls, msg: `${ports}: ${readOnly}; ${groups}: ${readOnly}` },
};
t.test("STATUS is 50, and ADD is refused with the same words before it changes anything, on a node", async (t) => {
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

t.test("STATUS is 50 where nothing can be recorded, and says where", async (t) => {
  const directory = t.testdir({ file: "" });
  const open = `${directory}/world-writable`;
  await mkdir(open);
  await chmod(open, 0o777);
  for (const dataDir of [`${directory}/file`, `${directory}/file/below`, "/proc/1/below", open])
    t.match(await status({ dataDir }), { status: 1, error: { code: 50, msg: new RegExp(dataDir) } }, dataDir);
  t.equal(await readFile(`${directory}/file`, "utf8"), "");
});

t.test("STATUS says all that is in the way at once", async (t) => {
  const { status: ended, error } = await status({ dataDir: "/proc/1/below" }, readOnlySysctls);
  t.match({ ended, code: error?.code }, { ended: 1, code: 50 });
  for (const words of [ports, groups, "/proc/1/below"]) t.ok(error!.msg.includes(words), words);
});

t.test("STATUS of a configuration that is invalid says what is wrong with it", async (t) => {
  const answer = await status({ unprivilegedPortStart: -1 });
  t.match(answer, { status: 1, error: { code: 7, msg: "unprivilegedPortStart: must be at least 0, not -1" } });
});

t.test("STATUS does not look for the link, which is the pod's", async (t) => {
  t.match(await status({ dataDir: await newDataDir(t), interface: "nolink" }), silent);
});

t.test("STATUS is not known below 1.1.0", async (t) => {
  const answer = await status({ cniVersion: "1.0.0" });
  t.match(answer, { status: 1, error: { cniVersion: "1.0.0", code: 1, msg: "config version does not allow STATUS" } });
});
