import t, { type Test } from "tap";
import type { Attachment } from "../../../harness/attachment.ts";
import { failingAt, killedBefore, type Mutation, sampled, watch } from "../../../harness/faults.ts";
import { links, readSysctl } from "../../../harness/ip.ts";
import { createPod, furnish, type Pod } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { type Snapshot, settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { bindingOf } from "./binding.ts";

const done = { status: 0, stdout: "" };
const killed = { signal: "SIGKILL" };

interface Rich {
  readonly pod: Pod;
  readonly binding: Attachment;
  readonly before: Snapshot;
  /** The pod's state after ADD. */
  readonly whole: Snapshot;
}

/** Creates a pod with every kind of state that ADD removes and DEL restores. */
async function richPod(t: Scope): Promise<Rich> {
  const pod = await createPod(t);
  await furnish(pod);
  const binding = await bindingOf(t, pod);
  // This ADD creates the journal's directory, so that every later run makes the same system calls.
  await binding.add();
  const whole = lasting(await snapshot(pod.namespace));
  await binding.del();
  return { pod, binding, before: await snapshot(pod.namespace), whole };
}

/** Returns the system calls by which ADD and DEL of such a pod change something, in order. */
async function mutationsOf(t: Test): Promise<{ add: Mutation[]; del: Mutation[] }> {
  const { binding } = await richPod(t);
  const found: Mutation[][] = [];
  for (const verb of ["ADD", "DEL"]) {
    const { under, mutations } = await watch(t);
    t.match(await binding.run(verb, {}, { under }), { status: 0 });
    found.push(await mutations());
  }
  const [add, del] = found as [Mutation[], Mutation[]];
  return { add, del };
}

/**
 * Runs `fail` at each point, or at a sample of the points.
 *
 * Afterwards the pod must be restored. If it is not, the next point gets a new pod.
 */
async function atEach(
  t: Test,
  points: readonly Mutation[],
  fail: (rich: Rich, point: Mutation, position: number) => Promise<void>,
): Promise<void> {
  let rich = await richPod(t);
  for (const [position, point] of sampled(t, points).entries()) {
    await fail(rich, point, position);
    if (!(await isAsBefore(t, rich, `${point.name} ${point.nth}: ${point.text.slice(0, 90)}`))) rich = await richPod(t);
  }
}

async function isAsBefore(t: Test, { pod, binding, before }: Rich, what: string): Promise<boolean> {
  const found = await settledDifferences(pod.namespace, before);
  const records = await binding.journal();
  return t.same([...found, ...records.map((name) => `+ record ${name}`)], [], what);
}

t.test("DEL restores the pod after ADD is killed before any change", async (t) => {
  const { add } = await mutationsOf(t);
  t.ok(add.length > 30, `${add.length} points`);
  await atEach(t, add, async ({ binding }, point) => {
    t.match(await binding.run("ADD", {}, { under: killedBefore(point) }), killed);
    t.match(await binding.run("DEL"), done);
  });
});

t.test("ADD succeeds after an ADD is killed before any change", async (t) => {
  const { add } = await mutationsOf(t);
  await atEach(t, add, async ({ pod, binding, whole }, point) => {
    t.match(await binding.run("ADD", {}, { under: killedBefore(point) }), killed);
    t.match(await binding.run("ADD"), { status: 0 });
    t.match(await binding.check(), done);
    t.same(lasting(await snapshot(pod.namespace)), whole);
    t.same(await binding.journal(), [`${pod.containerId}/net1.json`]);
    await binding.del();
  });
});

t.test("DEL restores the pod after a DEL is killed before any change", async (t) => {
  const { del } = await mutationsOf(t);
  t.ok(del.length > 15, `${del.length} points`);
  await atEach(t, del, async ({ binding }, point) => {
    await binding.add();
    t.match(await binding.run("DEL", {}, { under: killedBefore(point) }), killed);
    t.match(await binding.run("DEL"), done);
  });
});

t.test("DEL restores the pod after ADD and DEL are killed in turn", async (t) => {
  const { add, del } = await mutationsOf(t);
  const some = add.filter((_, position) => position % 3 === 0);
  await atEach(t, some, async ({ binding }, point, position) => {
    await binding.run("ADD", {}, { under: killedBefore(point) });
    await binding.run("DEL", {}, { under: killedBefore(del[position % del.length]!) });
    await binding.run("ADD", {}, { under: killedBefore(add[(position * 7) % add.length]!) });
    await binding.run("DEL", {}, { under: killedBefore(del[(position * 5) % del.length]!) });
    t.match(await binding.run("DEL"), done);
  });
});

for (const errno of ["EPERM", "ENOSPC"])
  t.test(`ADD reports ${errno} of any change and reverts the others`, async (t) => {
    const { add } = await mutationsOf(t);
    await atEach(t, add, async ({ binding }, point) => {
      const answer = await binding.run("ADD", {}, { under: failingAt(point, errno) });
      t.match(answer, { status: 1, error: { code: Number, msg: new RegExp(errno) } });
    });
  });

t.test("DEL reports a failure of any change, and the next DEL restores the pod", async (t) => {
  const { del } = await mutationsOf(t);
  await atEach(t, del, async ({ binding }, point) => {
    await binding.add();
    const answer = await binding.run("DEL", {}, { under: failingAt(point, "EPERM") });
    t.match(answer, { status: 1, stdout: /EPERM/ });
    t.match(await binding.run("DEL"), done);
  });
});

t.test("DEL of one attachment keeps what a killed ADD of another attachment left", async (t) => {
  const rich = await richPod(t);
  const { add } = await mutationsOf(t);
  const last = add.findLast(({ name }) => name === "sendto")!;
  await rich.binding.run("ADD", {}, { under: killedBefore(last) });
  const half = await links(rich.pod.namespace);
  t.ok(half.has("k6t-eth0"));
  const other = await bindingOf(t, rich.pod, { ifname: "net2", dataDir: rich.binding.dataDir });
  t.match(await other.run("ADD"), { status: 1, error: { code: 102 } });
  t.same([...(await links(rich.pod.namespace)).keys()], [...half.keys()]);
  t.match(await other.run("DEL"), done);
  t.same([...(await links(rich.pod.namespace)).keys()], [...half.keys()]);
  await rich.binding.del();
  await isAsBefore(t, rich, "healed");
  t.equal(await readSysctl(rich.pod.namespace, "net/ipv4/conf/all/arp_ignore"), "0");
});

/**
 * Removes lines that depend on numbers that the kernel assigns to links, and lines that the kernel
 * changes some time after a call: IPv6's own routes, and multicast groups that a link leaves.
 */
function lasting(lines: Snapshot): Snapshot {
  const passing = [
    / (ifindex|link_index|group|.*bridge_id|.*designated|.*port_(id|no)) /,
    /^fdb flags.0=self/,
    /^route (local|multicast) .*:/,
  ];
  return lines.filter((line) => !passing.some((pattern) => pattern.test(line)));
}
