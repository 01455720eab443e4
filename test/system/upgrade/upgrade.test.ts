// Runs the executables of 0.1.0 and of this release in turn on one node, in both directions.

import t from "tap";
import { type Attachment, attachmentOf, newDataDir, validAttachments } from "../../harness/attachment.ts";
import { killedBefore, sampled, watch } from "../../harness/faults.ts";
import type { Answer } from "../../harness/plugin.ts";
import { createPod } from "../../harness/pod.ts";
import { callsOf, firstReleaseOf, installAgain } from "../../harness/releases.ts";
import { settledDifferences, snapshot } from "../../harness/snapshot.ts";
import { groundOf } from "../resilience/subject.ts";
import { subjects } from "../resilience/subjects.ts";

const done = { status: 0, stdout: "" };
const refused = { status: 1, error: { code: 5, msg: /: Symbolic link loop \(ELOOP\)/ } };

for (const subject of subjects) {
  const { name } = subject;

  t.test(`${name}: this release checks and restores a pod of 0.1.0`, async (t) => {
    const { attachment, differences } = await groundOf(t, subject);

    t.match(await firstReleaseOf(attachment)("ADD"), { status: 0 });

    t.match(await attachment.check(), done);
    t.match(await attachment.run("ADD"), { status: 1, error: { code: 102, msg: /call DEL first/ } });
    t.match(await attachment.run("DEL"), done);
    t.same(await differences(), []);
  });

  t.test(`${name}: GC of this release restores a pod of 0.1.0`, async (t) => {
    const { attachment, differences, pod } = await groundOf(t, subject);
    t.match(await firstReleaseOf(attachment)("ADD"), { status: 0 });
    const other = await attachmentOf(t, name, pod, { ifname: "other", dataDir: attachment.dataDir });

    t.match(await attachment.run("GC", validAttachments(attachment)), done);
    t.match(await attachment.check(), done);
    t.match(await attachment.run("GC", validAttachments(other)), done);

    t.same(await differences(), []);
  });

  t.test(`${name}: this release restores a pod after ADD of 0.1.0 was killed at any change`, async (t) => {
    const { attachment, differences } = await groundOf(t, subject);
    const { under, mutations } = await watch(t);
    t.match(await firstReleaseOf(attachment)("ADD", {}, { under }), { status: 0 });
    const points = await mutations();
    t.match(await attachment.run("DEL"), done);
    t.ok(points.length >= 4, `${points.length} points`);

    for (const [position, point] of sampled(t, points).entries()) {
      const answer = await firstReleaseOf(attachment)("ADD", {}, { under: killedBefore(point) });
      t.match(answer, { signal: "SIGKILL" });
      if (position % 2 === 1) t.match(await attachment.run("ADD"), { status: 0 }, "the next ADD repairs");
      t.match(await attachment.run("DEL"), done);
      t.same(await differences(), [], `${point.name} ${point.nth}`);
    }
  });

  t.test(`${name}: 0.1.0 refuses a pod of this release and changes nothing`, async (t) => {
    const { attachment, differences, pod } = await groundOf(t, subject);
    await attachment.add();
    const before = await snapshot(pod.namespace);
    const other = await attachmentOf(t, name, pod, { ifname: "other", dataDir: attachment.dataDir });

    for (const verb of ["CHECK", "DEL", "ADD", "DEL"]) t.match(await firstReleaseOf(attachment)(verb), refused, verb);
    const collected = await firstReleaseOf(attachment)("GC", validAttachments(other));
    t.match(collected, { status: 1, error: { code: 5 } });
    t.match(collected.stdout, /ELOOP/);

    t.same(await settledDifferences(pod.namespace, before), []);
    t.match(await attachment.check(), done);
    t.match(await attachment.run("DEL"), done);
    t.same(await differences(), []);
  });

  t.test(`${name}: 0.1.0 refuses the pod after ADD of this release was killed at any change`, async (t) => {
    const { attachment, differences } = await groundOf(t, subject);
    const { under, mutations } = await watch(t);
    t.match(await attachment.run("ADD", {}, { under }), { status: 0 });
    const points = await mutations();
    t.match(await attachment.run("DEL"), done);
    // From the record on, which the guard precedes.
    const first = points.findIndex(({ name }) => name === "symlinkat");
    t.ok(first >= 0, "ADD creates a guard");

    for (const point of sampled(t, points.slice(first + 1))) {
      t.match(await attachment.run("ADD", {}, { under: killedBefore(point) }), { signal: "SIGKILL" });
      t.match(await firstReleaseOf(attachment)("DEL"), refused, `${point.name} ${point.nth}`);
      t.match(await attachment.run("DEL"), done);
      t.same(await differences(), [], `${point.name} ${point.nth}`);
    }
  });

  t.test(`${name}: 0.1.0 adds a pod next to one of this release, and after its DEL`, async (t) => {
    const { attachment } = await groundOf(t, subject);
    await attachment.add();
    const other = await createPod(t);
    await subject.furnish(other);
    const neighbor = await attachmentOf(t, name, other, { dataDir: attachment.dataDir });
    const before = await snapshot(other.namespace);

    t.match(await firstReleaseOf(neighbor)("ADD"), { status: 0 });
    t.match(await firstReleaseOf(neighbor)("CHECK"), done);
    t.match(await firstReleaseOf(neighbor)("DEL"), done);
    t.same(await settledDifferences(other.namespace, before), []);

    t.match(await attachment.run("DEL"), done);
    t.match(await firstReleaseOf(attachment)("ADD"), { status: 0 });
    t.match(await firstReleaseOf(attachment)("DEL"), done);
    t.same(await attachment.journal(), []);
  });

  for (const [title, orders] of [
    ["in the order of ADD", [0, 1, 2, 3]],
    ["in reverse", [3, 2, 1, 0]],
    ["in another order", [1, 3, 0, 2]],
  ] as const)
    t.test(`${name}: attachments of both releases share a pod, with DEL ${title}`, async (t) => {
      const pod = await createPod(t);
      const all = await subject.four(t, pod, await newDataDir(t, name));
      const before = await snapshot(pod.namespace);
      // An upgrade, a rollback, and another upgrade.
      const [one, two, three, four] = all as [Attachment, Attachment, Attachment, Attachment];
      await three.add();
      await three.del();
      t.match(await firstReleaseOf(one)("ADD"), { status: 0 });
      t.match(await firstReleaseOf(two)("ADD"), { status: 0 });
      const directory = await installAgain(t, name);
      const run = (attachment: Attachment, verb: string): Promise<Answer> => callsOf(directory, attachment)(verb);
      for (const attachment of [three, four]) t.match(await run(attachment, "ADD"), { status: 0 });

      for (const position of orders) t.match(await run(all[position]!, "DEL"), done);

      t.same(await settledDifferences(pod.namespace, before), []);
      t.same(await one.journal(), []);
    });
}
