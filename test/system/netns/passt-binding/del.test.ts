import { readFile, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { execa } from "execa";
import t from "tap";
import { writeSysctls } from "../../../harness/ip.ts";
import { namespaceNamed, removeNamespaces } from "../../../harness/namespaces.ts";
import { callPlugin, callSuccessfully } from "../../../harness/plugin.ts";
import { createPod } from "../../../harness/pod.ts";
import { settledDifferences } from "../../../harness/snapshot.ts";
import { readOnlySysctls } from "./mounts.ts";
import { closed, open, passtOf, prepared, type Rights, rightsIn, setRights } from "./rights.ts";

const done = { status: 0, stdout: "", stderr: "" };

t.test("DEL without an attachment succeeds and changes nothing", async (t) => {
  const pod = await createPod(t);
  const found: Rights = ["53", "100 110"];
  await setRights(pod.namespace, found);
  const passt = await passtOf(t, pod);
  t.match(await passt.run("DEL"), done, "nothing was ever added");
  await passt.add();
  for (let time = 0; time < 3; time++) t.match(await passt.run("DEL"), done);
  t.same(await rightsIn(pod.namespace), found);
  await setRights(pod.namespace, open);
  t.match(await passt.run("DEL"), done);
  t.same(await rightsIn(pod.namespace), open, "what only looks like ours");
  t.same(await passt.journal(), []);
});

/** The rights that another process sets after ADD, and the rights after DEL. */
const meddled: Record<string, { set: Rights; left: Rights }> = {
  "another port": { set: ["80", "107 107"], left: ["80", "1 0"] },
  "other groups": { set: ["0", "0 2147483647"], left: ["1024", "0 2147483647"] },
  "no groups": { set: ["0", "1 0"], left: closed },
  both: { set: ["1", "100 107"], left: ["1", "100 107"] },
  "both, as they were": { set: closed, left: closed },
};
t.test("DEL keeps what another process set after ADD and restores the rest", async (t) => {
  for (const [what, { set, left }] of Object.entries(meddled)) {
    const { pod, passt } = await prepared(t);
    await setRights(pod.namespace, set);
    t.match(await passt.run("DEL"), done);
    t.same(await rightsIn(pod.namespace), left, what);
    t.same(await passt.journal(), []);
  }
});

t.test("DEL changes nothing in a later namespace with the same path and inode number", async (t) => {
  const { pod, passt } = await prepared(t);
  await removeNamespaces([pod.namespace]);
  const successor = namespaceNamed(pod.namespace.name);
  await execa("ip", ["netns", "add", successor.name]);
  t.teardown(() => execa("ip", ["netns", "del", successor.name]));
  await setRights(successor, open);
  const [name] = await passt.journal();
  const record = JSON.parse(await readFile(`${passt.dataDir}/${name}`, "utf8")) as { netns: { inode: number } };
  record.netns.inode = (await stat(successor.path)).ino;
  await writeFile(`${passt.dataDir}/${name}`, JSON.stringify(record));
  t.match(await passt.run("DEL"), done);
  t.same(await rightsIn(successor), open);
  t.same(await passt.journal(), []);
});

t.test("DEL without a journal changes nothing, and the next ADD succeeds", async (t) => {
  const { pod, passt } = await prepared(t);
  await rm(passt.dataDir, { recursive: true });
  t.match(await passt.run("DEL"), done);
  t.same(await rightsIn(pod.namespace), open);
  await passt.add();
  t.match(await passt.check(), done);
  await passt.del();
  t.same(await rightsIn(pod.namespace), open);
});

t.test("DEL restores the pod with a configuration that has only a name and a type", async (t) => {
  const pod = await createPod(t);
  const call = pod.call("net1");
  await callSuccessfully("passt-binding", "ADD", call, { cniVersion: "1.0.0", name: "n", type: "passt-binding" });
  t.teardown(() => rmdir("/run/passt-binding").catch(() => undefined));
  t.ok(await readFile(`/run/passt-binding/${pod.containerId}/net1.json`, "utf8"));
  t.same(await rightsIn(pod.namespace), open);
  t.match(await callPlugin("passt-binding", "DEL", call, { name: "n", type: "passt-binding" }), done);
  t.same(await rightsIn(pod.namespace), closed);
});

t.test("DEL reports a sysctl that the kernel refuses, restores the other, and succeeds later", async (t) => {
  const { pod, passt, before } = await prepared(t);
  // The kernel refuses a lowest unprivileged port above the start of ip_local_port_range
  // (ipv4_privileged_ports).
  await writeSysctls(pod.namespace, { "net/ipv4/ip_local_port_range": "500 60999" });
  const answer = await passt.run("DEL");
  t.match(answer, { status: 1, error: { code: Number, msg: /ip_unprivileged_port_start: .*EINVAL/ } });
  t.notMatch(answer.stdout, /not found|no such file or directory/i, "containerd takes these words for success");
  t.same(await rightsIn(pod.namespace), ["0", "1 0"]);
  t.equal((await passt.journal()).length, 1, "what is left is on record");
  await writeSysctls(pod.namespace, { "net/ipv4/ip_local_port_range": "32768 60999" });
  t.match(await passt.run("DEL"), done);
  t.same(await settledDifferences(pod.namespace, before), []);
  t.same(await passt.journal(), []);
});

t.test("DEL reports a read-only /proc/sys, and restores the pod once it is writable", async (t) => {
  const { pod, passt } = await prepared(t);
  const answer = await passt.run("DEL", {}, readOnlySysctls);
  t.match(answer, { status: 1, error: { code: 5, msg: /EROFS/ } });
  t.equal((await passt.journal()).length, 1);
  t.same(await rightsIn(pod.namespace), open);
  t.match(await passt.run("DEL"), done);
  t.same(await rightsIn(pod.namespace), closed);
});
