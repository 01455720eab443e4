// Deletes the pod's namespace in the middle of ADD and DEL, with and without another pod at its
// path afterwards. The call answers, leaves nothing behind, and does not touch the other pod.
import { execa } from "execa";
import t, { type Test } from "tap";
import { type Attachment, attachmentOf, newDataDir } from "../../harness/attachment.ts";
import { type SystemCall, sampleByDefault, sampled, watch } from "../../harness/faults.ts";
import type { Answer } from "../../harness/plugin.ts";
import { createPod, type NetworkOptions, type Pod } from "../../harness/pod.ts";
import { differences, type Snapshot, settledDifferences, snapshot } from "../../harness/snapshot.ts";
import { pauseAfter } from "./paused.ts";
import { describe, type Subject } from "./subject.ts";
import { subjects } from "./subjects.ts";

sampleByDefault(6);

const done = { status: 0, stdout: "" };

const network: NetworkOptions = {
  kind: "veth",
  addresses: ["10.0.0.2/24", "fd00:9::2/64"],
  routes: ["default via 10.0.0.1"],
};

/** A pod whose namespace will be deleted, alone on its node. */
interface ShortLivedPod {
  readonly pod: Pod;
  readonly attachment: Attachment;
  /** The node before the pod was attached to its network. */
  readonly node: Snapshot;
}

async function createShortLivedPod(t: Test, { name }: Subject, dataDir: string): Promise<ShortLivedPod> {
  const pod = await createPod(t);
  const node = await snapshot(pod.node);
  await pod.attach(network);
  return { pod, node, attachment: await attachmentOf(t, name, pod, { dataDir }) };
}

/** The namespace is deleted after one of these: calls that enter it, or that change something. */
const watched = ["open", "flock", "setns", "sendto", "write", "mkdirat", "renameat", "unlinkat", "ioctl"];
const ignoredCalls =
  /^(open\("(?!\/run\/netns|\/proc\/self\/fd|\/dev)|sendto\(.*nlmsg_flags=NLM_F_REQUEST\|0x300|write\(2<|ioctl\(.*NS_GET)/;

async function pointsOf(t: Test, subject: Subject): Promise<Record<"ADD" | "DEL", SystemCall[]>> {
  const { attachment } = await createShortLivedPod(t, subject, await newDataDir(t, subject.name));
  const points = async (verb: string): Promise<SystemCall[]> => {
    const { under, calls } = await watch(t, watched);
    t.match(await attachment.run(verb, {}, { under }), { status: 0 });
    return (await calls()).filter(({ text }) => !ignoredCalls.test(text));
  };
  await attachment.add();
  await attachment.del();
  return { ADD: await points("ADD"), DEL: await points("DEL") };
}

/**
 * Calls the verb, and deletes the namespace after the system call `point`; `then` holds further
 * commands for `ip`.
 */
async function callAndDeleteNetns(
  t: Test,
  verb: string,
  { pod, attachment }: ShortLivedPod,
  [point, then]: [SystemCall, string],
): Promise<Answer> {
  const { under, reached, resume } = await pauseAfter(t, point);
  const answer = attachment.run(verb, {}, { under });
  await reached();
  await execa("ip", ["-batch", "-"], { input: `netns del ${pod.namespace.name}\n${then}\n` });
  await resume();
  return await answer;
}

for (const subject of subjects)
  t.test(subject.name, async (t) => {
    const all = await pointsOf(t, subject);
    const fresh = await snapshot((await createPod(t)).namespace);
    for (const verb of ["ADD", "DEL"] as const)
      for (const heir of [false, true])
        await t.test(
          `${verb} answers if the namespace is deleted${heir ? " and another one takes its path" : ""}`,
          async (t) => {
            const dataDir = await newDataDir(t, subject.name);
            t.ok(all[verb].length > 8, `${all[verb].length} points`);
            for (const point of sampled(t, all[verb])) {
              const here = await createShortLivedPod(t, subject, dataDir);
              const { name } = here.pod.namespace;
              // One ADD first, so that each run makes the same system calls.
              await here.attachment.add();
              if (verb === "ADD") await here.attachment.del();
              const then = heir ? `netns add ${name}\nnetns exec ${name} ip link set lo up` : "";
              const { status, error } = await callAndDeleteNetns(t, verb, here, [point, then]);
              const what = `after ${describe(point)}`;
              t.ok(status === 0 || (status === 1 && Number.isInteger(error?.code)), `${what}: ${status} ${error?.msg}`);
              if (heir) await checkOtherPod(t, subject, here, fresh);
              t.match(await here.attachment.run("DEL"), done, what);
              t.same(await here.attachment.journal(), [], what);
              t.same(await settledDifferences(here.pod.node, here.node, 20_000), [], `${what}: the node`);
            }
          },
        );
  });

/**
 * Checks that the other pod at the same path is unchanged, and that calls for the deleted pod do
 * not touch the other pod's attachment.
 */
async function checkOtherPod(
  t: Test,
  { name }: Subject,
  { pod, attachment }: ShortLivedPod,
  fresh: Snapshot,
): Promise<void> {
  t.same(differences(fresh, await snapshot(pod.namespace)).filter(isDifference), [], "the other pod is unchanged");
  t.match(await attachment.check(), { status: 1, error: { code: 101 } }, "another namespace");
  const { detach } = await pod.attach(network);
  const call = { containerId: `${pod.containerId}-heir` };
  const heir = await attachmentOf(t, name, pod, { dataDir: attachment.dataDir, call });
  await heir.add();
  t.match(await attachment.run("DEL"), done);
  t.match(await heir.check(), done, "the other pod's attachment is complete");
  await heir.del();
  await detach();
}

/** Whether the line is a difference: some sysctls differ between any two namespaces. */
function isDifference(line: string): boolean {
  return !/accept_dad|stable_secret/.test(line);
}
