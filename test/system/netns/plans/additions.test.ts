// Whatever a plan adds to a pod, CHECK finds and DEL removes: on the real kernel.
//
// The plugin test/plugins/planned adds what its netconf says.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t, { type Test } from "tap";
import { type Additions, additions } from "../../../harness/additions.ts";
import { newDataDir, recordsIn } from "../../../harness/attachment.ts";
import { fc } from "../../../harness/fast-check.ts";
import { failingAt, killedBefore, type Mutation, sampleByDefault, sampled, watch } from "../../../harness/faults.ts";
import { type Answer, type Call, callPlugin } from "../../../harness/plugin.ts";
import { createPod, type Pod } from "../../../harness/pod.ts";
import { seed } from "../../../harness/seed.ts";
import { type Snapshot, settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { steady } from "../bridge-binding/steady.ts";

sampleByDefault(12);

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const dist = await mkdtemp(join(tmpdir(), "planned-"));
t.teardown(() => rm(dist, { recursive: true, force: true }));
await execa(join(root, "scripts/build"), ["--plugins", join(root, "test/plugins"), "--out", dist]);

interface Trial {
  readonly pod: Pod;
  readonly before: Snapshot;
  run(verb: string, plan: Additions, under?: readonly string[]): Promise<Answer>;
  /** Returns what DEL left. */
  left(): Promise<string[]>;
}

async function trialIn(t: Test): Promise<Trial> {
  const pod = await createPod(t);
  await pod.attach({
    kind: "veth",
    addresses: ["10.244.0.7/24", "fd00::7/64"],
    routes: ["default via 10.244.0.1", "default via fd00::1"],
  });
  const dataDir = await newDataDir(t, "planned");
  const before = await snapshot(pod.namespace);
  const netconf = {
    cniVersion: "1.1.0",
    name: "planned",
    type: "planned",
    dataDir,
    prevResult: { cniVersion: "1.1.0" },
  };
  return {
    pod,
    before,
    run: (verb, plan, under = []) => {
      const call: Call = { ...pod.call("net1"), under };
      return callPlugin(join(dist, "planned"), verb, call, { ...netconf, plan: JSON.stringify(plan) });
    },
    left: async () => [...(await settledDifferences(pod.namespace, before)), ...(await recordsIn(dataDir))],
  };
}

/** Draws `count` plans. Each run of the tests has others. */
const draw = (count: number): Additions[] => fc.sample(additions, { numRuns: count, seed });

t.test("CHECK finds everything that ADD adds, and DEL removes it", async (t) => {
  const trial = await trialIn(t);
  for (const [position, plan] of draw(60).entries()) {
    const text = `plan ${position}`;
    t.match(await trial.run("ADD", plan), { status: 0 }, text);
    // The kernel adds the route to an IPv6 peer later.
    if (!isRepeatable(plan)) await steady(trial.pod);
    if (!t.match(await trial.run("CHECK", plan), { status: 0, stdout: "" }, text)) t.comment(JSON.stringify(plan));
    t.match(await trial.run("DEL", plan), { status: 0, stdout: "" }, text);
    if (!t.same(await trial.left(), [], text)) return t.comment(JSON.stringify(plan));
  }
});

/**
 * Whether every ADD makes the same system calls: it does not poll for the link's carrier, or for
 * the kernel's route to a peer.
 */
function isRepeatable({ objects, bridge }: Additions): boolean {
  const all = [objects, ...(bridge === undefined ? [] : [bridge])];
  return all.every(
    ({ addresses, neighbors }) =>
      neighbors.every(({ state }) => state !== 0x40) &&
      addresses.every(({ message: { family, address, local } }) => {
        const hasPeer = local !== undefined && address !== undefined && local !== address;
        return family === 2 || !hasPeer;
      }),
  );
}

/** Fails ADD at each of its changes. Afterwards nothing may be left. */
async function failAtEach(
  t: Test,
  fail: (trial: Trial, plan: Additions, point: Mutation) => Promise<void>,
): Promise<void> {
  const trial = await trialIn(t);
  for (const plan of draw(20).filter(isRepeatable).slice(0, 2)) {
    // The second ADD finds the journal's directories, as each later one does.
    await trial.run("ADD", plan);
    await trial.run("DEL", plan);
    const { under, mutations } = await watch(t);
    t.match(await trial.run("ADD", plan, under), { status: 0 });
    await trial.run("DEL", plan);
    for (const point of sampled(t, await mutations())) {
      await fail(trial, plan, point);
      if (!t.same(await trial.left(), [], point.text.slice(0, 90))) return t.comment(JSON.stringify(plan));
    }
  }
}

t.test("an ADD that fails at any change leaves nothing", (t) =>
  failAtEach(t, async (trial, plan, point) => {
    t.match(await trial.run("ADD", plan, failingAt(point, "EPERM")), { status: 1 });
  }),
);

t.test("DEL leaves nothing after ADD is killed at any change", (t) =>
  failAtEach(t, async (trial, plan, point) => {
    t.match(await trial.run("ADD", plan, killedBefore(point)), { signal: "SIGKILL" });
    t.match(await trial.run("DEL", plan), { status: 0, stdout: "" });
  }),
);
