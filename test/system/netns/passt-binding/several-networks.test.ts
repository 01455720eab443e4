import t from "tap";
import { attachmentOf, collect, type Netconf, validAttachments } from "../../../harness/attachment.ts";
import { failingAt, watch } from "../../../harness/faults.ts";
import { links } from "../../../harness/ip.ts";
import { createPod, createPods } from "../../../harness/pod.ts";
import { settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { closed, open, passtOf, type Rights, rightsIn, setRights } from "./rights.ts";
import { orders, passtsOf } from "./several.ts";

const done = { status: 0, stdout: "", stderr: "" };

/** The configurations of three networks of a pod. */
const wishes: readonly Netconf[] = [
  { unprivilegedPortStart: 1024, pingGroupRange: [107, 107] },
  { unprivilegedPortStart: 80, pingGroupRange: [200, 300] },
  { unprivilegedPortStart: 0, pingGroupRange: [50, 60] },
];

/** Returns the rights after ADD of all these configurations in a new pod. */
function wideEnough(asked: readonly Netconf[]): Rights {
  const ports = asked.map((one) => one["unprivilegedPortStart"] as number);
  const groups = asked.flatMap((one) => one["pingGroupRange"] as number[]);
  return [`${Math.min(1024, ...ports)}`, `${Math.min(...groups)} ${Math.max(...groups)}`];
}

for (const count of [2, 3])
  t.test(`${count} networks of a pod keep their rights until the last DEL, in any order`, async (t) => {
    const pod = await createPod(t);
    const before = await snapshot(pod.namespace);
    const positions = [...wishes.keys()].slice(0, count);
    const passts = await passtsOf(t, pod, wishes.slice(0, count));
    for (const adding of [positions, positions.toReversed()])
      for (const deleting of orders(positions)) {
        const order = `ADD ${adding}, DEL ${deleting}`;
        for (const [many, position] of adding.entries()) {
          await passts[position]!.add();
          const asked = adding.slice(0, many + 1).map((each) => wishes[each]!);
          t.same(await rightsIn(pod.namespace), wideEnough(asked), `${order}: ADD ${position}`);
        }
        for (const [many, position] of deleting.entries()) {
          for (const left of deleting.slice(many))
            t.match(await passts[left]!.check(), done, `${order}: CHECK ${left}`);
          t.match(await passts[position]!.run("DEL"), done);
          const expected = many + 1 < count ? wideEnough(wishes.slice(0, count)) : closed;
          t.same(await rightsIn(pod.namespace), expected, `${order}: DEL ${position}`);
          for (const left of deleting.slice(many + 1))
            t.match(await passts[left]!.check(), done, `${order}: CHECK ${left}`);
        }
      }
    t.same(await settledDifferences(pod.namespace, before), []);
    t.same(await passts[0]!.journal(), []);
  });

t.test("two networks with equal configurations keep their rights until the last DEL", async (t) => {
  for (const found of [closed, open, ["500", "90 95"], ["0", "0 2147483647"]] as Rights[]) {
    const pod = await createPod(t);
    await setRights(pod.namespace, found);
    const passts = await passtsOf(t, pod, [{}, {}]);
    for (const [first, second] of orders(passts)) {
      for (const passt of passts) await passt.add();
      const made = await rightsIn(pod.namespace);
      await first.del();
      t.same(await rightsIn(pod.namespace), made);
      t.match(await second.check(), done);
      await second.del();
      t.same(await rightsIn(pod.namespace), found);
    }
  }
});

t.test("repeated DELs and ADDs of one network keep the other network's rights", async (t) => {
  const pod = await createPod(t);
  const [one, other] = await passtsOf(t, pod, [{ unprivilegedPortStart: 80 }, {}]);
  await one.add();
  await other.add();
  for (let time = 0; time < 2; time++) t.match(await one.run("DEL"), done);
  t.same(await rightsIn(pod.namespace), open);
  await one.add();
  for (let time = 0; time < 2; time++) t.match(await other.run("DEL"), done);
  t.same(await rightsIn(pod.namespace), open);
  t.match(await one.check(), done);
  await one.del();
  t.same(await rightsIn(pod.namespace), closed);
});

t.test("a failed ADD and its DEL keep the other network's rights", async (t) => {
  const pod = await createPod(t);
  const [one, other] = await passtsOf(t, pod, [{ unprivilegedPortStart: 80 }, { pingGroupRange: [200, 300] }]);
  await one.add();
  const { under, mutations } = await watch(t);
  await other.run("ADD", {}, { under });
  await other.del();
  t.same(await rightsIn(pod.namespace), ["0", "107 300"], "until the last one has gone");
  await one.del();
  await one.add();
  const sysctls = (await mutations()).filter(({ text }) => text.includes("/proc/sys/"));
  t.equal(sysctls.length, 2);
  const failures: [netconf: Netconf, under: readonly string[], code: number][] = [
    [{ interface: "nolink" }, [], 102],
    [{ unprivilegedPortStart: -1 }, [], 7],
    ...sysctls.map((point): [Netconf, readonly string[], number] => [{}, failingAt(point, "EPERM"), 5]),
  ];
  for (const [netconf, under, code] of failures) {
    t.match(await other.run("ADD", netconf, { under }), { status: 1, error: { code } });
    t.same(await rightsIn(pod.namespace), ["80", "107 107"]);
    t.match(await one.check(), done);
    t.match(await other.run("DEL"), done);
    t.same(await rightsIn(pod.namespace), ["80", "107 107"]);
  }
  await one.del();
  t.same(await rightsIn(pod.namespace), closed);
});

/**
 * The rights that another process sets between two ADDs, and the rights after both DELs.
 *
 * DEL keeps each part that differs from what the first ADD set.
 */
const between: Record<string, { set: Rights; left: Rights }> = {
  "DELs keep a group range that another process set": { set: ["80", "0 2147483647"], left: ["1024", "0 2147483647"] },
  "DELs keep a port start that another process set": { set: ["0", "107 107"], left: ["0", "1 0"] },
  "DELs restore what another process set and the second ADD changed": {
    set: ["500", "90 95"],
    left: ["500", "90 95"],
  },
};
t.test("DELs in either order keep what another process set between two ADDs", async (t) => {
  for (const [what, { set, left }] of Object.entries(between))
    for (const deleting of orders([0, 1]))
      await t.test(`${what}, DEL ${deleting}`, async (t) => {
        const pod = await createPod(t);
        const passts = await passtsOf(t, pod, [{ unprivilegedPortStart: 80 }, { unprivilegedPortStart: 80 }]);
        await passts[0]!.add();
        await setRights(pod.namespace, set);
        await passts[1]!.add();
        for (const position of deleting) await passts[position]!.del();
        t.same(await rightsIn(pod.namespace), left);
      });
});

t.test("DELs keep what another process set after two ADDs or between two DELs", async (t) => {
  const set: Rights = ["70", "0 2147483647"];
  for (const when of ["before both", "between"])
    for (const deleting of orders([0, 1])) {
      const pod = await createPod(t);
      const passts = await passtsOf(t, pod, wishes.slice(0, 2));
      for (const passt of passts) await passt.add();
      if (when === "before both") await setRights(pod.namespace, set);
      await passts[deleting[0]!]!.del();
      if (when === "between") await setRights(pod.namespace, set);
      await passts[deleting[1]!]!.del();
      t.same(await rightsIn(pod.namespace), set, `${when}, DEL ${deleting}`);
    }
});

t.test("GC of some attachments keeps the other attachment's rights", async (t) => {
  const pod = await createPod(t);
  const passts = await passtsOf(t, pod, wishes);
  for (const passt of passts) await passt.add();
  const [first, , third] = passts;
  t.match(await collect(first!, validAttachments(third!)), done);
  t.equal((await first!.journal()).length, 1);
  t.same(await rightsIn(pod.namespace), wideEnough(wishes));
  t.match(await third!.check(), done);
  t.match(await collect(first!, validAttachments()), done);
  t.same(await rightsIn(pod.namespace), closed);
  t.same(await first!.journal(), []);
});

t.test("DEL of one attachment keeps the attachment of the same container in another namespace", async (t) => {
  const [pod, later] = await createPods(t, 2);
  const one = await passtOf(t, pod!);
  const other = await passtOf(t, later!, {
    ifname: "net2",
    dataDir: one.dataDir,
    call: { containerId: pod!.containerId },
  });
  await one.add();
  await other.add();
  await one.del();
  t.same(await rightsIn(pod!.namespace), closed);
  t.same(await rightsIn(later!.namespace), open);
  await other.del();
  t.same(await rightsIn(later!.namespace), closed);
});

t.test("DEL of one attachment keeps another container's attachment with the same interface name", async (t) => {
  const pods = await createPods(t, 2);
  const one = await passtOf(t, pods[0]!);
  const other = await passtOf(t, pods[1]!, { dataDir: one.dataDir });
  await one.add();
  await other.add();
  await one.del();
  t.same(await Promise.all(pods.map(({ namespace }) => rightsIn(namespace))), [closed, open]);
});

t.test("passt-binding and bridge-binding in one pod each revert only their own changes", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge", families: "dual" });
  const before = await snapshot(pod.namespace);
  const passt = await passtOf(t, pod);
  const bridge = await attachmentOf(t, "bridge-binding", pod, { ifname: "net2" });
  for (const [first, second] of orders([passt, bridge])) {
    for (const one of [passt, bridge]) await one.add();
    await first.del();
    t.match(await second.check(), { status: 0 });
    t.same(await rightsIn(pod.namespace), first === passt ? closed : open);
    t.equal((await links(pod.namespace)).has("k6t-eth0"), first === passt);
    await second.del();
    t.same(await settledDifferences(pod.namespace, before), []);
  }
});
