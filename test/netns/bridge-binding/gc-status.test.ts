import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import t from "tap";
import { type Attachment, collect, type Netconf, newDataDir, validAttachments } from "../../harness/attachment.ts";
import { links } from "../../harness/ip.ts";
import { removeNamespaces } from "../../harness/namespaces.ts";
import { callPlugin } from "../../harness/plugin.ts";
import { createPods, type Pod } from "../../harness/pod.ts";
import type { Scope } from "../../harness/scope.ts";
import { settledDifferences, snapshot } from "../../harness/snapshot.ts";
import { bindingOf } from "./binding.ts";

const silent = { status: 0, stdout: "", stderr: "" };

/** Bound pods, all in one journal: of the network `bridge-binding`, and the last one of the network `other`. */
async function boundPods(t: Scope, length: number) {
  const dataDir = await newDataDir(t);
  const pods = await createPods(t, length);
  const bindings: Attachment[] = [];
  for (const [position, pod] of pods.entries()) {
    await pod.attach({ kind: "bridge", families: "dual" });
    const netconf = position === length - 1 ? { name: "other" } : {};
    bindings.push(await bindingOf(t, pod, { dataDir, netconf }));
  }
  const before = await Promise.all(pods.map(({ namespace }) => snapshot(namespace)));
  for (const binding of bindings) await binding.add();
  const isBound = async ({ namespace }: Pod) => (await links(namespace)).has("k6t-eth0");
  return { pods, bindings, before, states: () => Promise.all(pods.map(isBound)) };
}

t.test("GC removes the attachments of its network that are not valid any more, and no others", async (t) => {
  const { pods, bindings, before, states } = await boundPods(t, 4);
  t.match(await collect(bindings[0]!, validAttachments(bindings[1]!)), silent);
  t.same(await states(), [false, true, false, true]);
  for (const position of [0, 2])
    t.same(await settledDifferences(pods[position]!.namespace, before[position]!), [], "DEL's work, to the bit");
  t.equal((await bindings[0]!.journal()).length, 2);
  t.match(await collect(bindings[0]!, validAttachments(bindings[1]!)), silent, "twice is as once");
  t.same(await states(), [false, true, false, true]);
  t.match(await collect(bindings[0]!, validAttachments()), silent, "an empty list: none is valid");
  t.same(await states(), [false, false, false, true]);
});

t.test("GC without a list, or with null, removes nothing", async (t) => {
  const { bindings, states } = await boundPods(t, 2);
  for (const extra of [{}, { "cni.dev/valid-attachments": null }, { "cni.dev/attachments": null }]) {
    t.match(await collect(bindings[0]!, extra), silent);
    t.same(await states(), [true, true]);
  }
});

t.test("GC with what is no list of attachments fails, and removes nothing", async (t) => {
  const { bindings, states } = await boundPods(t, 2);
  for (const list of ["none", {}, [null], [{ containerID: "x" }], [{ containerId: "x", ifname: "net1" }]]) {
    const answer = await collect(bindings[0]!, { "cni.dev/valid-attachments": list });
    t.match(answer, { status: 1, error: { code: 7, msg: /cni\.dev\/valid-attachments/ } });
  }
  t.same(await states(), [true, true]);
});

t.test("GC takes the list that runtimes wrote before 1.1.0 was final", async (t) => {
  const { bindings, states } = await boundPods(t, 3);
  await collect(bindings[0]!, { "cni.dev/attachments": validAttachments(bindings[1]!)["cni.dev/valid-attachments"] });
  t.same(await states(), [false, true, true]);
});

t.test("GC tells the attachments of one container apart by their interface's name", async (t) => {
  const { bindings, states } = await boundPods(t, 2);
  const [{ call }] = bindings as [Attachment];
  const list = [{ containerID: call.containerId, ifname: "net2" }];
  t.match(await collect(bindings[0]!, { "cni.dev/valid-attachments": list }), silent);
  t.same(await states(), [false, true]);
});

t.test("GC forgets attachments whose namespace is gone", async (t) => {
  const { pods, bindings } = await boundPods(t, 2);
  await removeNamespaces([pods[0]!.namespace]);
  t.match(await collect(bindings[0]!, validAttachments()), silent);
  t.same(await bindings[0]!.journal(), [`${pods[1]!.containerId}:net1.json`]);
});

t.test("GC goes on past a record that cannot be read, removes the others, and reports", async (t) => {
  const { bindings, states } = await boundPods(t, 3);
  const { dataDir } = bindings[0]!;
  await writeFile(`${dataDir}/aaa:net1.json`, "{", { mode: 0o600 });
  const answer = await collect(bindings[0]!, validAttachments());
  t.match(answer, { status: 1, error: { code: 102 } });
  t.match(answer.stdout, /aaa:net1\.json/);
  t.same(await states(), [false, false, true]);
});

t.test("GC needs CNI_PATH and version 1.1.0", async (t) => {
  const { bindings, states } = await boundPods(t, 2);
  const answer = await collect(bindings[0]!, validAttachments(), { CNI_PATH: "" });
  t.match(answer, { status: 1, error: { code: 4, msg: "required env variables [CNI_PATH] missing" } });
  for (const cniVersion of ["0.4.0", "1.0.0"]) {
    const older = await collect(bindings[0]!, { ...validAttachments(), cniVersion });
    t.match(older, { status: 1, error: { cniVersion, code: 1, msg: "config version does not allow GC" } });
  }
  t.same(await states(), [true, true]);
});

const status = (netconf: Netconf) =>
  callPlugin("bridge-binding", "STATUS", {}, { cniVersion: "1.1.0", name: "n", type: "bridge-binding", ...netconf });

t.test("STATUS is silent where an ADD could be served, and leaves nothing behind", async (t) => {
  const dataDir = await newDataDir(t);
  t.match(await status({ dataDir }), silent);
  t.match(await status({ dataDir }), silent, "twice");
  const [pod] = await createPods(t, 1);
  t.same(await (await bindingOf(t, pod!, { dataDir })).journal(), []);
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

t.test("STATUS of a configuration that is invalid says what is wrong with it", async (t) => {
  t.match(await status({ queues: 0 }), { status: 1, error: { code: 7, msg: /queues: must be at least 1/ } });
});

t.test("STATUS is not known below 1.1.0", async (t) => {
  const answer = await status({ cniVersion: "1.0.0" });
  t.match(answer, { status: 1, error: { cniVersion: "1.0.0", code: 1, msg: "config version does not allow STATUS" } });
});
