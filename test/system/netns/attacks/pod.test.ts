// Checks that a process in the pod cannot delay or falsify the calls for its own pod.
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";
import { attachmentOf } from "../../../harness/attachment.ts";
import { within } from "../../../harness/namespaces.ts";
import { createPod, type Pod } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { differences, snapshot } from "../../../harness/snapshot.ts";

const plugins = ["bridge-binding", "passt-binding"] as const;

/** Starts a process in the pod, with a mount namespace of its own, and waits for its first line. */
async function started(t: Scope, pod: Pod, ...command: readonly string[]): Promise<void> {
  const [file, ...args] = within(pod.namespace, "unshare", "--mount", ...command);
  const child = execa(file, args, { reject: false });
  t.teardown(async () => {
    child.kill("SIGKILL");
    await child;
  });
  await once(child.stdout, "data");
}

t.test("a process of user 107 that locks its own namespace delays no call", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge" });
  await started(
    t,
    pod,
    "setpriv",
    "--reuid=107",
    "--regid=107",
    "--clear-groups",
    "--bounding-set=-all",
    "--no-new-privs",
    ...["flock", "--no-fork", "--exclusive", "/proc/self/ns/net", "sh", "-c", "echo ready; exec sleep 600"],
  );
  for (const plugin of plugins) {
    const attachment = await attachmentOf(t, plugin, pod, { netconf: { logLevel: "info" } });
    const before = await snapshot(pod.namespace);
    for (const verb of ["ADD", "CHECK", "DEL"]) {
      const answer = await attachment.run(verb, { ...(verb === "CHECK" && { prevResult: { cniVersion: "1.1.0" } }) });
      t.match(answer, { status: 0 }, `${plugin} ${verb}`);
      // A call that waits for the lock waits 20 s.
      t.ok(Number(/ms=([\d.]+)/.exec(answer.stderr)?.[1]) < 10_000, `${plugin} ${verb}: ${answer.stderr}`);
    }
    t.same(differences(before, await snapshot(pod.namespace)), []);
  }
});

t.test("DEL restores the pod while a process in the pod forges the kernel's answers", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge" });
  const forger = fileURLToPath(new URL("../../../harness/forger.py", import.meta.url));
  await started(t, pod, "setpriv", "--bounding-set=-all,+net_admin", "python3", forger);
  for (const plugin of plugins)
    for (let round = 0; round < 5; round++) {
      const attachment = await attachmentOf(t, plugin, pod);
      const before = await snapshot(pod.namespace);
      await attachment.add();
      t.match(await attachment.check(), { status: 0 });
      t.match(await attachment.run("DEL"), { status: 0 });
      t.same(differences(before, await snapshot(pod.namespace)), [], `${plugin}, round ${round}`);
      t.same(await attachment.journal(), []);
    }
});
