// Limits of the process, and what it needs of /proc: each call succeeds or prints a CNI error, and
// a DEL without the limit restores the pod.
import t from "tap";
import { attachmentOf } from "../../harness/attachment.ts";
import { createPod } from "../../harness/pod.ts";
import { settledDifferences, snapshot } from "../../harness/snapshot.ts";

const plugins = ["bridge-binding", "passt-binding"] as const;

/** Options of `ulimit`. Some values are too low for any call, some are high enough. */
const limits = [
  ...["-n 5", "-n 8", "-n 16"],
  ...["-s 64", "-s 256"],
  ...["-v 4000", "-v 9000", "-v 20000", "-v 40000"],
  ...["-f 0", "-f 1"],
  ...["-d 2000", "-l 0", "-u 1", "-i 0", "-q 0", "-c 0"],
];

/** The command line before the plugin's. */
const limited = (limit: string): readonly string[] => ["bash", "-c", `ulimit ${limit}; exec "$@"`, "bash"];

for (const plugin of plugins)
  t.test(`${plugin} under a limit of the process succeeds or prints an error, and DEL restores the pod`, async (t) => {
    const pod = await createPod(t);
    await pod.attach({ kind: "bridge", families: "dual" });
    for (const limit of limits) {
      const before = await snapshot(pod.namespace);
      const attachment = await attachmentOf(t, plugin, pod);
      const under = limited(limit);
      const added = await attachment.run("ADD", {}, { under });
      if (added.status !== 0)
        t.match(added.error, { code: Number, msg: /\w/ }, `ADD, ulimit ${limit}: ${added.stderr}`);
      const deleted = await attachment.run("DEL", {}, { under });
      if (deleted.status !== 0) t.match(deleted.error, { code: Number, msg: /\w/ }, `DEL, ulimit ${limit}`);
      t.match(await attachment.run("DEL"), { status: 0 }, `ulimit ${limit}`);
      t.same(await settledDifferences(pod.namespace, before), [], `ulimit ${limit}`);
      t.same(await attachment.journal(), [], `ulimit ${limit}`);
    }
  });

for (const plugin of plugins)
  t.test(`${plugin} without /proc names it, and as the first process of a PID namespace it works`, async (t) => {
    const pod = await createPod(t);
    await pod.attach({ kind: "bridge", families: "dual" });
    const before = await snapshot(pod.namespace);
    const attachment = await attachmentOf(t, plugin, pod);
    const without = ["unshare", "--mount", "bash", "-c", 'umount -l /proc; exec "$@"', "bash"];
    t.match(await attachment.run("ADD", {}, { under: without }), { error: { code: Number, msg: /\/proc/ } });
    t.same(await settledDifferences(pod.namespace, before), []);
    for (const under of [
      ["unshare", "--pid", "--fork", "--mount-proc"],
      ["unshare", "--pid", "--fork"],
    ]) {
      t.match(await attachment.run("ADD", {}, { under }), { status: 0 });
      t.match(await attachment.run("DEL", {}, { under }), { status: 0 });
      t.same(await settledDifferences(pod.namespace, before), []);
    }
  });
