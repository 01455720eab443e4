// Kills sriov-vfio before each of its changes, and tests that DEL or another pod's ADD restores the
// VF.
import { execa } from "execa";
import t, { type Test } from "tap";
import { killedBefore, type Mutation, watch } from "../../../harness/faults.ts";
import { atEach, ground, killed, mutationsOf, sampleWhereEmulated, subjectOf } from "../faulty.ts";
import { done, podWith, settingsOf } from "../pod.ts";

sampleWhereEmulated(4);

const here = await ground(t);
const { vf, pod, run } = here;
const { add, del } = await mutationsOf(t, here);
/** The write of ADD's result: ADD has made all changes, but the runtime does not get the result. */
const result: Mutation = {
  name: "write",
  nth: add.findLast(({ name }) => name === "write")!.nth + 1,
  text: "the result",
};
const heir = await podWith(t, vf, { dataDir: pod.journal, vlan: 7 });

t.test(
  "ADD writes the record before the first change, DEL removes it last and restores settings before the driver",
  async (t) => {
    const [adding, deleting] = [add, del].map((points) => points.map(subjectOf)) as [string[], string[]];
    const isOfDevice = (subject: string): boolean =>
      ["sendto", "unbind", "driver_override", "drivers_probe"].includes(subject);
    const recorded = add.findIndex((point, at) => point.name === "renameat" && adding[at] === "pending");
    t.ok(recorded >= 0 && recorded < adding.findIndex(isOfDevice), `ADD: ${adding.join(" ")}`);
    t.ok(adding.lastIndexOf("json") > adding.findLastIndex(isOfDevice), `ADD: ${adding.join(" ")}`);
    t.ok(deleting.indexOf("json") > deleting.findLastIndex(isOfDevice), `DEL: ${deleting.join(" ")}`);
    const settings = deleting.slice(0, deleting.indexOf("drivers_probe")).filter((subject) => subject === "sendto");
    t.equal(settings.length, 5, "VLAN, rate, spoofchk, trust, MAC address");
  },
);

t.test("DEL restores the VF after ADD was killed at any change", async (t) => {
  await atEach(t, here, [...add, result], async (point) => {
    t.match(await run("ADD", killedBefore(point)), killed);
    t.match(await run("DEL"), done);
  });
});

t.test("another pod's ADD gets the restored VF after ADD was killed at any change", async (t) => {
  await atEach(t, here, [...add, result], async (point) => {
    t.match(await run("ADD", killedBefore(point)), killed);
    await inherit(t);
  });
});

t.test("a second DEL restores the VF after DEL was killed at any change", async (t) => {
  await atEach(t, here, del, async (point) => {
    t.match(await run("ADD"), { status: 0 });
    t.match(await run("DEL", killedBefore(point)), killed);
    t.match(await run("DEL"), done);
  });
});

t.test("another pod's ADD gets the restored VF after DEL was killed at any change", async (t) => {
  await atEach(t, here, del, async (point) => {
    t.match(await run("ADD"), { status: 0 });
    t.match(await run("DEL", killedBefore(point)), killed);
    await inherit(t);
  });
});

t.test(
  "the next DEL restores a VF whose ADD was killed before it was bound and whose DEL was killed too",
  async (t) => {
    const half = killedBefore(add.find((point) => subjectOf(point) === "driver_override")!);
    t.match(await run("ADD", half), killed);
    const { under, mutations } = await watch(t);
    t.match(await run("DEL", under), done);
    const points = await mutations();
    t.ok(points.map(subjectOf).includes("unbind"), "its own driver takes the VF anew, and picks a MAC address");
    await atEach(t, here, points, async (point) => {
      t.match(await run("ADD", half), killed);
      t.match(await run("DEL", killedBefore(point)), killed);
      t.match(await run("DEL"), done);
    });
  },
);

t.test("the first completed DEL restores the VF after ADD, DEL, ADD and DEL were killed", async (t) => {
  await atEach(t, here, add, async (point) => {
    const position = add.indexOf(point);
    await run("ADD", killedBefore(point));
    await run("DEL", killedBefore(del[position % del.length]!));
    await run("ADD", killedBefore(add[(position * 7) % add.length]!));
    await run("DEL", killedBefore(del[(position * 5) % del.length]!));
    t.match(await run("DEL"), done);
  });
});

/**
 * Deletes the pod, and checks that another pod gets the VF with its own settings only.
 *
 * The deleted pod's late DEL must not change the VF.
 */
async function inherit(t: Test): Promise<void> {
  const name = pod.path.split("/").at(-1);
  // The new namespace at the same path is not the pod's namespace.
  await execa("ip", ["-batch", "-"], { input: `netns del ${name}\nnetns add ${name}\n` });
  t.match(await heir.run("ADD"), { status: 0 });
  t.match(await run("DEL"), done);
  t.match(await heir.check(), done);
  t.match(await settingsOf(vf), { vlan_list: [{ vlan: 7 }], spoofchk: true, trust: false, rate: { max_tx: 0 } });
  t.match(await heir.run("DEL"), done);
}
