// GC: removes this network's attachments that are no longer in the runtime's list, and no others.
import { readFileSync, writeFileSync } from "node:fs";
import type { Netconf } from "../../../harness/attachment.ts";
import { removeNamespaces } from "../../../harness/namespaces.ts";
import type { Rule } from "../rule.ts";
import { filesBelow, type Ground } from "../subject.ts";
import type { Changes, Trial } from "../trial.ts";

const other = { netconf: { name: "other" } };

const valid = (...grounds: readonly Ground[]): Netconf[] =>
  grounds.map(({ call }) => ({ containerID: call.containerId, ifname: call.ifname }));

/**
 * Adds this ground and two more with one journal, the last one to a network of another name, and
 * deletes them afterwards.
 */
async function three(
  { t, ground, another, run, succeeds, isAsBefore }: Trial,
  work: (all: readonly Attached[], gc: Collect) => Promise<void>,
): Promise<void> {
  const grounds = [ground, await another(), await another()];
  const before = await Promise.all(grounds.map((one) => one.state()));
  const all = grounds.map((one, position): Attached => {
    const changes: Changes = position === 2 ? other : {};
    return {
      ground: one,
      add: async () => t.match(await run("ADD", changes, one), { status: 0 }),
      isAttached: async () => {
        const { status } = await run(
          "CHECK",
          { netconf: { ...changes.netconf, prevResult: { cniVersion: "1.1.0" } } },
          one,
        );
        return status === 0;
      },
    };
  });
  for (const one of all) await one.add();
  // Without a container and from the node: only `dataDir` is the same as for the attachments.
  await work(all, async (netconf, what = "GC") => {
    await succeeds("GC", { netconf, unset: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"] }, what);
    return await Promise.all(all.map((one) => one.isAttached()));
  });
  for (const [position, one] of grounds.entries()) await succeeds("DEL", position === 2 ? other : {}, "DEL", one);
  for (const [position, one] of grounds.entries()) await isAsBefore(before[position]!, undefined, one);
}

interface Attached {
  readonly ground: Ground;
  add(): Promise<unknown>;
  isAttached(): Promise<boolean>;
}

/** Calls GC with these fields, requires success, and returns which grounds are still attached. */
type Collect = (netconf: Netconf, what?: string) => Promise<boolean[]>;

const list = "cni.dev/valid-attachments";

export const gc: readonly Rule[] = [
  {
    name: "S2: GC removes its network's attachments that are no longer valid, restores what DEL would, and can be repeated",
    attaches: true,
    of: ({ records }) => records,
    check: (trial) =>
      three(trial, async (all, gc) => {
        const { t } = trial;
        const [first, second] = all.map(({ ground }) => ground) as [Ground, Ground];
        t.same(await gc({ [list]: valid(first, second) }), [true, true, true], "all are valid");
        t.same(
          await gc({ [list]: [...valid(second), { containerID: first.call.containerId, ifname: "net9" }] }),
          [false, true, true],
          "another interface of the same container",
        );
        t.same(await gc({ [list]: valid(second) }), [false, true, true], "twice");
        await all[0]!.add();
        t.same(
          await gc({ "cni.dev/attachments": valid(second) }),
          [false, true, true],
          "by the key that libcni wrote first",
        );
        t.same(await gc({ [list]: [] }), [false, false, true], "an empty list");
      }),
  },
  {
    name: "S2: GC without a list, or with null, removes nothing",
    attaches: true,
    of: ({ records }) => records,
    check: (trial) =>
      three(trial, async (_, gc) => {
        for (const netconf of [
          {},
          { [list]: null },
          { "cni.dev/attachments": null },
          { [list]: null, "cni.dev/attachments": [] },
        ])
          trial.t.same(await gc(netconf), [true, true, true], JSON.stringify(netconf));
      }),
  },
  {
    name: "S2: GC selects by the network's name, and by no other field of the configuration",
    attaches: true,
    of: ({ records }) => records,
    check: (trial) =>
      three(trial, async (_, gc) => {
        trial.t.same(await gc({ [list]: [], name: "nobody" }), [true, true, true]);
        trial.t.same(
          await gc({ [list]: [], args: 7, zzzzzzzz: 1, prevResult: "none" }),
          [false, false, true],
          "faulty",
        );
      }),
  },
  {
    name: "S2: GC removes the record of an attachment whose namespace no longer exists",
    attaches: true,
    of: ({ records }) => records,
    check: async ({ t, ground, another, run, succeeds }) => {
      const pod = await another();
      t.match(await run("ADD", {}, pod), { status: 0 });
      await removeNamespaces([pod.namespace]);
      await succeeds("GC", { netconf: { [list]: [] } });
      t.same(filesBelow(ground.netconf["dataDir"] as string), []);
    },
  },
  {
    name: "S2: GC reports a record that it cannot read, and removes the others",
    attaches: true,
    of: ({ records }) => records,
    check: async ({ t, ground, another, run, succeeds }) => {
      await succeeds("ADD");
      const first = filesBelow(ground.netconf["dataDir"] as string);
      const contents = first.map((path) => readFileSync(path, "utf8"));
      // GC reads one valid record before the broken one, and one after it.
      const others = [await another(), await another()];
      for (const other of others) t.match(await run("ADD", {}, other), { status: 0 });
      for (const path of first) writeFileSync(path, "{");
      t.match(await run("GC", { netconf: { [list]: [] } }), { status: 1, error: { code: 102 } });
      t.same(filesBelow(ground.netconf["dataDir"] as string), first, "of the others nothing is recorded any more");
      for (const [position, path] of first.entries()) writeFileSync(path, contents[position]!);
      await succeeds("DEL");
    },
  },
  {
    name: "S2: an invalid list of attachments fails with code 7, and nothing is removed",
    attaches: true,
    of: ({ records }) => records,
    check: async ({ ground, refused, attached, steady, isAsBefore }) => {
      await attached({}, async () => {
        const between = await steady();
        const { containerId } = ground.call;
        for (const value of [
          "none",
          {},
          7,
          false,
          [null],
          ["x"],
          [{ containerID: containerId }],
          [{ containerId, ifname: "net9" }],
          [{ containerID: 7, ifname: "net9" }],
        ])
          for (const key of [list, "cni.dev/attachments"])
            await refused("GC", { netconf: { [key]: value } }, { code: 7, says: key, what: JSON.stringify(value) });
        await isAsBefore(between);
      });
    },
  },
  {
    name: "S2: GC of a network without attachments succeeds, and prints nothing",
    check: async ({ succeeds, isSilent }) => {
      for (const netconf of [{}, { [list]: [] }, { [list]: [{ containerID: "gone", ifname: "eth0", more: 1 }] }]) {
        isSilent(await succeeds("GC", { netconf }));
      }
    },
  },
];
