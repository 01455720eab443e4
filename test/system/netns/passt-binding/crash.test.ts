import t, { type Test } from "tap";
import type { Attachment } from "../../../harness/attachment.ts";
import {
  failingAt,
  failingFrom,
  killedBefore,
  type Mutation,
  sampled,
  signalledDuring,
  watch,
} from "../../../harness/faults.ts";
import { createPod, type Pod } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { open, passtOf, type Rights, rightsIn, setRights } from "./rights.ts";

const done = { status: 0, stdout: "" };
const killed = { signal: "SIGKILL" };
/** The pod's rights before ADD. They differ from those of a new namespace. */
const found: Rights = ["500", "90 95"];
const made: Rights = ["0", "90 107"];

async function ownPod(t: Scope): Promise<Pod> {
  const pod = await createPod(t);
  await setRights(pod.namespace, found);
  return pod;
}

/**
 * Returns the system calls by which ADD and DEL change something, in order.
 *
 * ADD also creates the journal's directories, as on a new node.
 */
async function mutationsOf(t: Test): Promise<{ add: Mutation[]; del: Mutation[] }> {
  const passt = await passtOf(t, await ownPod(t));
  const watched = async (verb: string): Promise<Mutation[]> => {
    const { under, mutations } = await watch(t);
    t.match(await passt.run(verb, {}, { under }), { status: 0 });
    return await mutations();
  };
  return { add: await watched("ADD"), del: await watched("DEL") };
}

/**
 * Runs `fail` at each point, or at a sample of the points, each with a new journal.
 *
 * Checks after each point that the pod is restored and that the journal holds no record.
 */
async function atEach(
  t: Test,
  points: readonly Mutation[],
  fail: (passt: Attachment, point: Mutation, pod: Pod) => Promise<void>,
): Promise<void> {
  const pod = await ownPod(t);
  const before = await snapshot(pod.namespace);
  for (const point of sampled(t, points)) {
    const passt = await passtOf(t, pod);
    await fail(passt, point, pod);
    const what = `${point.name} ${point.nth}: ${point.text.slice(0, 90)}`;
    t.same([...(await rightsIn(pod.namespace)), ...(await passt.journal())], found, what);
    await setRights(pod.namespace, found);
  }
  t.same(await settledDifferences(pod.namespace, before), [], "nor has anything else of the pod changed");
}

/** Returns the subject of a call: a sysctl, or the suffix of the record's file. */
function subject({ text }: Mutation): string | undefined {
  return [...text.matchAll(/[./](draft|pending|json|ip_unprivileged_port_start|ping_group_range)[">]/g)].at(-1)?.[1];
}

t.test("ADD writes its record before the first change, and DEL removes it after the last", async (t) => {
  const { add, del } = await mutationsOf(t);
  const sysctls = ["ip_unprivileged_port_start", "ping_group_range"];
  t.same(add.slice(-4).map(subject), ["pending", ...sysctls, "json"]);
  const undone = del.map(subject).filter((one) => one !== undefined);
  t.same(undone.slice(0, 3), [...sysctls.toReversed(), "json"]);
});

t.test("DEL restores the pod after ADD is killed before any change", async (t) => {
  const { add } = await mutationsOf(t);
  t.ok(add.length > 8, `${add.length} points`);
  await atEach(t, add, async (passt, point) => {
    t.match(await passt.run("ADD", {}, { under: killedBefore(point) }), killed);
    t.match(await passt.run("DEL"), done);
  });
});

t.test("ADD with another configuration succeeds after an ADD is killed before any change", async (t) => {
  const { add } = await mutationsOf(t);
  await atEach(t, add, async (passt, point, pod) => {
    t.match(await passt.run("ADD", {}, { under: killedBefore(point) }), killed);
    const other = { unprivilegedPortStart: 80, pingGroupRange: [93, 94] };
    t.match(await passt.run("ADD", other), { status: 0 });
    t.same(await rightsIn(pod.namespace), ["80", "90 95"], "what the killed one asked for is gone");
    t.match(await passt.run("CHECK", { ...other, prevResult: { cniVersion: "1.1.0" } }), done);
    t.same(await passt.journal(), [`${pod.containerId}/net1.json`]);
    await passt.del();
  });
});

t.test("DEL restores the pod after a DEL is killed before any change", async (t) => {
  const { del } = await mutationsOf(t);
  t.ok(del.length >= 3, `${del.length} points`);
  await atEach(t, del, async (passt, point) => {
    await passt.add();
    t.match(await passt.run("DEL", {}, { under: killedBefore(point) }), killed);
    t.match(await passt.run("DEL"), done);
  });
});

t.test("ADD is refused or complete after a DEL is killed before any change", async (t) => {
  const { del } = await mutationsOf(t);
  await atEach(t, del, async (passt, point, pod) => {
    await passt.add();
    t.match(await passt.run("DEL", {}, { under: killedBefore(point) }), killed);
    const answer = await passt.run("ADD");
    if (answer.status === 0) t.same(await rightsIn(pod.namespace), made);
    else t.match(answer.error, { code: 102, msg: /call DEL first/ });
    t.match(await passt.run("DEL"), done);
  });
});

t.test("DEL restores the pod after ADD and DEL are killed in turn", async (t) => {
  const { add, del } = await mutationsOf(t);
  await atEach(t, add, async (passt, point) => {
    const position = add.indexOf(point);
    await passt.run("ADD", {}, { under: killedBefore(point) });
    await passt.run("DEL", {}, { under: killedBefore(del[position % del.length]!) });
    await passt.run("ADD", {}, { under: killedBefore(add[(position * 7) % add.length]!) });
    await passt.run("DEL", {}, { under: killedBefore(del[(position * 5) % del.length]!) });
    t.match(await passt.run("DEL"), done);
  });
});

/**
 * Reports whether the errno must make the verb fail at this point.
 *
 * On a read-only file system the verb need not remove a file that does not exist.
 */
const counts =
  (errno: string) =>
  (point: Mutation): boolean =>
    errno !== "EROFS" || !point.text.endsWith("(No such file or directory)");

for (const errno of ["EPERM", "EROFS", "ENOSPC"]) {
  t.test(`ADD reports ${errno} of any change and reverts the others`, async (t) => {
    const { add } = await mutationsOf(t);
    await atEach(t, add.filter(counts(errno)), async (passt, point) => {
      const answer = await passt.run("ADD", {}, { under: failingAt(point, errno) });
      t.match(answer, { status: 1, error: { code: Number, msg: new RegExp(errno) } });
    });
  });

  t.test(`DEL reports ${errno} of any change and reverts the others`, async (t) => {
    const { del } = await mutationsOf(t);
    await atEach(t, del.filter(counts(errno)), async (passt, point, pod) => {
      await passt.add();
      const answer = await passt.run("DEL", {}, { under: failingAt(point, errno) });
      t.match(answer, { status: 1, error: { code: Number, msg: new RegExp(errno) } });
      t.notMatch(answer.stdout, /not found|no such file or directory/i, "containerd takes these words for success");
      const [ports, groups] = await rightsIn(pod.namespace);
      t.equal(ports, point.text.includes("port_start") ? made[0] : found[0]);
      t.equal(groups, point.text.includes("ping_group") ? made[1] : found[1]);
      t.match(await passt.run("DEL"), done);
    });
  });
}

t.test("DEL restores the pod after an ADD that cannot revert its changes (EROFS)", async (t) => {
  const { add } = await mutationsOf(t);
  await atEach(t, add.filter(counts("EROFS")), async (passt, point) => {
    const answer = await passt.run("ADD", {}, { under: failingFrom(point, "EROFS") });
    t.equal(answer.status, 1);
    // If write(2) fails, the plugin cannot write the answer either.
    if (point.name !== "write") t.match(answer.error, { code: Number, msg: /EROFS/ });
    t.match(await passt.run("DEL"), done);
  });
});

for (const signal of ["SIGTERM", "SIGINT"])
  t.test(`DEL continues after ${signal} during any change`, async (t) => {
    const { del } = await mutationsOf(t);
    await atEach(t, del, async (passt, point) => {
      await passt.add();
      t.match(await passt.run("DEL", {}, { under: signalledDuring(point, signal) }), done);
    });
  });

t.test("ADD succeeds despite an incomplete record of another container", async (t) => {
  const pod = await createPod(t);
  const { add } = await mutationsOf(t);
  const one = await passtOf(t, pod, { call: { containerId: "other" } });
  for (const point of add.filter(({ text }) => text.includes("draft"))) {
    await one.run("ADD", {}, { under: killedBefore(point) });
    const passt = await passtOf(t, pod, { dataDir: one.dataDir });
    await passt.add();
    t.same(await rightsIn(pod.namespace), open);
    await passt.del();
    await one.del();
    t.same(await one.journal(), []);
  }
});
