// Twenty concurrent pods within the limits that Multus's thick plugin sets for all its plugins.
import t from "tap";
import { attachmentOf, newDataDir } from "../../harness/attachment.ts";
import { limitedGroup, multusThick } from "../../harness/limits.ts";
import type { Answer } from "../../harness/plugin.ts";
import { createPods } from "../../harness/pod.ts";
import { settledDifferences, snapshot } from "../../harness/snapshot.ts";

const failed = (answers: readonly Answer[]) => answers.filter(({ status }) => status !== 0);

for (const plugin of ["bridge-binding", "passt-binding"])
  t.test(`${plugin} serves twenty pods at once within 50 MiB and a tenth of a CPU`, async (t) => {
    const pods = await createPods(t, 20);
    for (const pod of pods) await pod.attach({ kind: "veth", addresses: ["10.0.0.2/24", "fd00:9::2/64"] });
    const before = await Promise.all(pods.slice(0, 2).map(({ namespace }) => snapshot(namespace)));
    const dataDir = await newDataDir(t, plugin);
    const group = await limitedGroup(t, multusThick);
    const call = { under: group.under, timeout: 120_000 };
    const attachments = await Promise.all(pods.map((pod) => attachmentOf(t, plugin, pod, { dataDir, call })));
    t.same(failed(await Promise.all(attachments.map((one) => one.run("ADD")))), []);
    t.equal((await attachments[0]!.journal()).length, 20);
    t.same(failed(await Promise.all(attachments.map((one) => one.check()))), []);
    t.same(failed(await Promise.all(attachments.map((one) => one.run("DEL")))), []);
    t.same(await attachments[0]!.journal(), []);
    for (const [position, state] of before.entries())
      t.same(await settledDifferences(pods[position]!.namespace, state), []);
    t.notOk(await group.ranOut(), "no process was killed for lack of memory");
    const peak = await group.peak();
    t.comment(`${plugin}: ${(peak / 1024).toFixed(0)} KiB for twenty concurrent calls`);
    // All twenty can be alive at once. The daemon itself needs the rest.
    t.ok(peak / 20 < 1.5 * 2 ** 20, `the peak of ${peak} bytes is less than 1.5 MiB for each call`);
  });
