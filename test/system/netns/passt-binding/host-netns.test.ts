// Checks that passt-binding never changes the node's own network namespace.
//
// A temporary namespace, in which the plugin runs, stands for the node's. So no test can change the
// machine's own namespace.
import { spawn } from "node:child_process";
import { symlink, unlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { collect, validAttachments } from "../../../harness/attachment.ts";
import { watch } from "../../../harness/faults.ts";
import { within } from "../../../harness/namespaces.ts";
import { createPod, type Pod } from "../../../harness/pod.ts";
import { settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { closed, open, passtOf, prepared, rightsIn, setRights } from "./rights.ts";

const done = { status: 0, stdout: "", stderr: "" };

/** Returns all kinds of paths by which a runtime may name the node's own namespace. */
async function pathsOfNode(t: Test, { node }: Pod): Promise<string[]> {
  const [file, ...args] = within(node, "sleep", "60");
  const inside = spawn(file, args, { stdio: "ignore" });
  t.teardown(() => inside.kill());
  await sleep(200);
  const link = `${t.testdir({})}/link`;
  await symlink(node.path, link);
  const own = ["/proc/self/ns/net", "/proc/thread-self/ns/net", "/proc/self/task/../ns/net"];
  return [node.path, link, ...own, `/proc/${inside.pid}/ns/net`];
}

t.test("ADD and CHECK refuse the node's own namespace before any change", async (t) => {
  const pod = await createPod(t);
  const before = await snapshot(pod.node);
  const passt = await passtOf(t, pod);
  for (const netns of await pathsOfNode(t, pod)) {
    const { under, mutations } = await watch(t);
    const answer = await passt.run("ADD", {}, { netns, under });
    const msg = `CNI_NETNS: ${netns} is the node's own network namespace, expected the container's`;
    t.match(answer, { status: 1, error: { cniVersion: "1.1.0", code: 8, msg } });
    t.same(await mutations(), [], "no call that changes anything");
    const check = await passt.run("CHECK", { prevResult: {} }, { netns });
    t.match(check, { status: 1, error: { code: 8, msg } });
  }
  t.same(await settledDifferences(pod.node, before), []);
  t.same(await rightsIn(pod.namespace), closed);
  t.same(await passt.journal(), []);
});

t.test("ADD refuses the node's own namespace in every version and in a chain", async (t) => {
  const pod = await createPod(t);
  const passt = await passtOf(t, pod, { call: { netns: pod.node.path } });
  for (const cniVersion of ["0.1.0", "0.4.0", "1.0.0", "1.1.0"])
    for (const extra of [{}, { prevResult: { cniVersion } }])
      t.match(await passt.run("ADD", { cniVersion, ...extra }), { status: 1, error: { cniVersion, code: 8 } });
  t.same(await rightsIn(pod.node), closed);
});

t.test("DEL with the node's own namespace restores the recorded pod only", async (t) => {
  for (const way of [0, 2, 5]) {
    const { pod, passt } = await prepared(t);
    const netns = (await pathsOfNode(t, pod))[way]!;
    await setRights(pod.node, open);
    const other = await passtOf(t, pod, { ifname: "net2", dataDir: passt.dataDir });
    t.match(await other.run("DEL", {}, { netns }), done, "nothing is recorded of this one");
    t.same(await rightsIn(pod.namespace), open);
    t.match(await passt.run("DEL", {}, { netns }), done);
    t.same(await rightsIn(pod.namespace), closed);
    t.same(await rightsIn(pod.node), open);
    t.same(await passt.journal(), []);
  }
});

t.test("DEL and GC change nothing if a record's path now leads to the node's namespace", async (t) => {
  for (const verb of ["DEL", "GC"]) {
    const pod = await createPod(t);
    const path = `${t.testdir({})}/${verb}`;
    await symlink(pod.namespace.path, path);
    const passt = await passtOf(t, pod, { call: { netns: path } });
    await passt.add();
    t.same(await rightsIn(pod.namespace), open);
    await unlink(path);
    await symlink(pod.node.path, path);
    await setRights(pod.node, open);
    t.match(await (verb === "DEL" ? passt.run("DEL", {}, { netns: "" }) : collect(passt, validAttachments())), done);
    t.same(await rightsIn(pod.node), open);
    t.same(await passt.journal(), []);
  }
});

t.test("ADD accepts the node's own namespace with CNI_NETNS_OVERRIDE", async (t) => {
  const pod = await createPod(t);
  const passt = await passtOf(t, pod, { call: { node: pod.namespace } });
  for (const CNI_NETNS_OVERRIDE of ["0", "false", ""])
    t.match(await passt.run("ADD", {}, { env: { CNI_NETNS_OVERRIDE } }), { status: 1, error: { code: 8 } });
  for (const CNI_NETNS_OVERRIDE of ["1", "true", "TRUE"]) {
    const env = { CNI_NETNS_OVERRIDE };
    t.match(await passt.run("ADD", {}, { env }), { status: 0 });
    t.same(await rightsIn(pod.namespace), open);
    t.match(await passt.run("DEL", {}, { env }), done);
    t.same(await rightsIn(pod.namespace), closed);
  }
});
