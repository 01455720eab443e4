// Checks by the system calls which calls are confined, and that they are before they read the pod.
import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import t, { type Test } from "tap";
import { type Attachment, attachmentOf, type Netconf, validAttachments } from "../../../harness/attachment.ts";
import { type SystemCall, watch } from "../../../harness/faults.ts";
import { within } from "../../../harness/namespaces.ts";
import type { Call } from "../../../harness/plugin.ts";
import { createPod } from "../../../harness/pod.ts";
import { differences, snapshot } from "../../../harness/snapshot.ts";

/** What a call of a pod sends to the kernel, opens, and takes from itself. */
const names = ["capset", "sendto", "open", "openat", "openat2", "execve", "clone", "fork", "vfork"];

const extras: Readonly<Record<string, Netconf>> = {
  CHECK: { prevResult: { cniVersion: "1.1.0" } },
  GC: validAttachments(),
};

/** Makes a call that succeeds, and returns its system calls. */
async function callsOf(t: Test, attachment: Attachment, verb: string): Promise<readonly SystemCall[]> {
  const { under, calls } = await watch(t, names);
  t.match(await attachment.run(verb, extras[verb], { under }), { status: 0 });
  return await calls();
}

async function attached(t: Test, plugin: string, call: Call = {}) {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge" });
  const attachment = await attachmentOf(t, plugin, pod, { call });
  return { pod, attachment, before: await snapshot(pod.namespace) };
}

for (const plugin of ["bridge-binding", "passt-binding"])
  for (const verb of ["ADD", "CHECK", "DEL", "GC"])
    t.test(`${verb} of ${plugin} is confined once, before it reads the pod, and starts no program`, async (t) => {
      const { attachment } = await attached(t, plugin);
      if (verb !== "ADD") await attachment.add();

      const calls = await callsOf(t, attachment, verb);

      const confined = calls.findIndex(({ name }) => name === "capset");
      t.equal(calls.filter(({ name }) => name === "capset").length, 1);
      const readsPod = ({ name, text }: SystemCall) => name === "sendto" || text.includes("/proc/sys/net/");
      t.ok(calls.some(readsPod), "the call reads the pod");
      t.same(calls.slice(0, confined).filter(readsPod), []);
      // The first one is the plugin itself.
      t.same(
        calls.slice(1).filter(({ name }) => /^(execve|clone|v?fork)$/.test(name)),
        [],
      );
    });

t.test("GC restores a pod whose namespace is known by a process, without confinement", async (t) => {
  const pod = await createPod(t);
  const [file, ...args] = within(pod.namespace, "sleep", "600");
  const child = execa(file, args, { reject: false });
  t.teardown(async () => {
    child.kill("SIGKILL");
    await child;
  });
  const netns = `/proc/${child.pid}/ns/net`;
  while (statSync(netns).ino !== statSync(pod.namespace.path).ino) await sleep(5);
  const attachment = await attachmentOf(t, "passt-binding", pod, { call: { netns } });
  const before = await snapshot(pod.namespace);
  await attachment.add();

  const calls = await callsOf(t, attachment, "GC");

  t.notOk(calls.some(({ name }) => name === "capset"));
  t.same(differences(before, await snapshot(pod.namespace)), []);
  t.same(await attachment.journal(), []);
});

t.test("confined GC restores the pods of all records", async (t) => {
  const { pod, attachment, before } = await attached(t, "bridge-binding");
  const { pod: other } = await attached(t, "bridge-binding");
  const second = await attachmentOf(t, "bridge-binding", other, { dataDir: attachment.dataDir });
  const otherBefore = await snapshot(other.namespace);
  await attachment.add();
  await second.add();

  const calls = await callsOf(t, attachment, "GC");

  t.equal(calls.filter(({ name }) => name === "capset").length, 1);
  t.same(differences(before, await snapshot(pod.namespace)), []);
  t.same(differences(otherBefore, await snapshot(other.namespace)), []);
  t.same(await attachment.journal(), []);
});
