// The pod's namespace deleted in the middle of ADD and of DEL, its path left empty or given to
// another pod: an answer in any case, nothing left, and nothing done to the other pod.
import { execa } from "execa";
import t, { type Test } from "tap";
import { type Attachment, attachmentOf, newDataDir } from "../../harness/attachment.ts";
import { type SystemCall, sampled, sampleUnlessTold, watch } from "../../harness/faults.ts";
import type { Answer } from "../../harness/plugin.ts";
import { createPod, type NetworkOptions, type Pod } from "../../harness/pod.ts";
import { differences, type Snapshot, settledDifferences, snapshot } from "../../harness/snapshot.ts";
import { pausedAfter } from "./paused.ts";
import { describe, type Subject } from "./subject.ts";
import { subjects } from "./subjects.ts";

sampleUnlessTold(6);

const done = { status: 0, stdout: "" };

const network: NetworkOptions = {
  kind: "veth",
  addresses: ["10.0.0.2/24", "fd00:9::2/64"],
  routes: ["default via 10.0.0.1"],
};

/** A pod that may go, on a node that has nothing but it. */
interface Doomed {
  readonly pod: Pod;
  readonly attachment: Attachment;
  /** The node before the pod was on its network. */
  readonly node: Snapshot;
}

async function doomed(t: Test, { name }: Subject, dataDir: string): Promise<Doomed> {
  const pod = await createPod(t);
  const node = await snapshot(pod.node);
  await pod.attach(network);
  return { pod, node, attachment: await attachmentOf(t, name, pod, { dataDir }) };
}

/** After which the namespace goes: those that lead into it, and all that may change something. */
const watched = ["open", "flock", "setns", "sendto", "write", "mkdirat", "renameat", "unlinkat", "ioctl"];
const passing =
  /^(open\("(?!\/run\/netns|\/proc\/self\/fd|\/dev)|sendto\(.*nlmsg_flags=NLM_F_REQUEST\|0x300|write\(2<|ioctl\(.*NS_GET)/;

async function pointsOf(t: Test, subject: Subject): Promise<Record<"ADD" | "DEL", SystemCall[]>> {
  const { attachment } = await doomed(t, subject, await newDataDir(t, subject.name));
  const points = async (verb: string): Promise<SystemCall[]> => {
    const { under, calls } = await watch(t, watched);
    t.match(await attachment.run(verb, {}, { under }), { status: 0 });
    return (await calls()).filter(({ text }) => !passing.test(text));
  };
  await attachment.add();
  await attachment.del();
  return { ADD: await points("ADD"), DEL: await points("DEL") };
}

/**
 * Calls the verb, and deletes the namespace as soon as that point is reached; `then` is what `ip`
 * does next.
 */
async function vanish(
  t: Test,
  verb: string,
  { pod, attachment }: Doomed,
  [point, then]: [SystemCall, string],
): Promise<Answer> {
  const { under, reached, resume } = await pausedAfter(t, point);
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
          `the namespace goes during ${verb}, ${heir ? "and another gets its path" : "for good"}`,
          async (t) => {
            const dataDir = await newDataDir(t, subject.name);
            t.ok(all[verb].length > 8, `${all[verb].length} points`);
            for (const point of sampled(t, all[verb])) {
              const here = await doomed(t, subject, dataDir);
              const { name } = here.pod.namespace;
              // Once before, so that every run makes the same calls.
              await here.attachment.add();
              if (verb === "ADD") await here.attachment.del();
              const then = heir ? `netns add ${name}\nnetns exec ${name} ip link set lo up` : "";
              const { status, error } = await vanish(t, verb, here, [point, then]);
              const what = `after ${describe(point)}`;
              t.ok(status === 0 || (status === 1 && Number.isInteger(error?.code)), `${what}: ${status} ${error?.msg}`);
              if (heir) await inherit(t, subject, here, fresh);
              t.match(await here.attachment.run("DEL"), done, what);
              t.same(await here.attachment.journal(), [], what);
              t.same(await settledDifferences(here.pod.node, here.node, 20_000), [], `${what}: the node`);
            }
          },
        );
  });

/**
 * The other pod at the path is as new, has an attachment of its own, and keeps it whatever is
 * called for the one that is gone.
 */
async function inherit(t: Test, { name }: Subject, { pod, attachment }: Doomed, fresh: Snapshot): Promise<void> {
  t.same(differences(fresh, await snapshot(pod.namespace)).filter(isOwn), [], "as new");
  t.match(await attachment.check(), { status: 1, error: { code: 101 } }, "another namespace");
  const { detach } = await pod.attach(network);
  const call = { containerId: `${pod.containerId}-heir` };
  const heir = await attachmentOf(t, name, pod, { dataDir: attachment.dataDir, call });
  await heir.add();
  t.match(await attachment.run("DEL"), done);
  t.match(await heir.check(), done, "nothing of the other pod's is undone");
  await heir.del();
  await detach();
}

/** Not what differs from namespace to namespace anyway. */
function isOwn(line: string): boolean {
  return !/accept_dad|stable_secret/.test(line);
}
