import { spawn } from "node:child_process";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { execa } from "execa";
import t from "tap";
import { type Attachment, newDataDir } from "../../../harness/attachment.ts";
import { ip } from "../../../harness/ip.ts";
import { removeNamespaces, within } from "../../../harness/namespaces.ts";
import { createPods, type Pod } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { differences, snapshot } from "../../../harness/snapshot.ts";
import { passtOf } from "../passt-binding/rights.ts";
import { byHand, inJson } from "./by-hand.ts";

interface Told {
  readonly dryRun: boolean;
  readonly attachments: readonly { readonly containerId: string; readonly outcome: string; readonly why: string }[];
  readonly unreadable: readonly { readonly fact: string; readonly hint: string }[];
}

const gc = (dataDir: string, ...args: string[]) =>
  inJson<Told>("passt-binding", ["gc", "--data-dir", dataDir, ...args]);

/** Creates pods with one attachment each, all in one journal. */
async function prepared(t: Scope, length: number): Promise<{ pods: Pod[]; passts: Attachment[]; dataDir: string }> {
  const dataDir = await newDataDir(t, "passt-binding");
  const pods = await createPods(t, length);
  const passts: Attachment[] = [];
  for (const pod of pods) {
    const passt = await passtOf(t, pod, { dataDir });
    await passt.add();
    passts.push(passt);
  }
  return { pods, passts, dataDir };
}

const outcomes = ({ attachments }: Told): string[] => attachments.map(({ outcome }) => outcome);

t.test("gc removes vanished attachments and keeps live ones, and a dry run changes nothing", async (t) => {
  const { pods, passts, dataDir } = await prepared(t, 3);
  const before = await snapshot(pods[1]!.namespace);
  t.match(await gc(dataDir), { status: 0, told: { dryRun: false } }, "nothing has vanished");
  await removeNamespaces([pods[0]!.namespace]);
  const files = await readdir(dataDir);
  const dry = await gc(dataDir, "--dry-run");
  t.match([dry.status, dry.told.dryRun, outcomes(dry.told)], [1, true, ["removable", "alive", "alive"]]);
  t.same(await readdir(dataDir), files);
  const text = await byHand("passt-binding", ["gc", "--dry-run", "--data-dir", dataDir]);
  t.match(text.stdout, /^removable +net1 of .*\n +its namespace no longer exists: gc removes its record/m);
  t.match(text.stdout, /^kept +net1 of .*\n +its namespace is still there$/m);
  const wet = await gc(dataDir);
  t.match([wet.status, outcomes(wet.told)], [0, ["removed", "alive", "alive"]]);
  t.same(
    await readdir(dataDir),
    files.filter((file) => !file.startsWith(pods[0]!.containerId)),
  );
  t.match(
    [(await gc(dataDir)).status, outcomes((await gc(dataDir)).told)],
    [0, ["alive", "alive"]],
    "twice is as once",
  );
  t.same(differences(before, await snapshot(pods[1]!.namespace)), []);
  await passts[1]!.del();
});

t.test("gc keeps a namespace that a process or another mount holds", async (t) => {
  const { pods, passts, dataDir } = await prepared(t, 2);
  const [file, ...args] = within(pods[0]!.namespace, "sh", "-c", "echo; exec sleep 60");
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "ignore"] });
  t.teardown(() => child.kill("SIGKILL"));
  await new Promise((resolve) => child.stdout.once("data", resolve));
  // This mount stands for one that keeps the namespace alive in another mount namespace.
  const elsewhere = `/run/netns/${pods[1]!.namespace.name} elsewhere`;
  await writeFile(elsewhere, "");
  await execa("mount", ["--bind", pods[1]!.namespace.path, elsewhere]);
  t.teardown(async () => {
    await execa("umount", [elsewhere], { reject: false });
    await rm(elsewhere, { force: true });
  });
  await removeNamespaces(pods.map(({ namespace }) => namespace));
  const { status, told } = await gc(dataDir);
  t.match([status, outcomes(told)], [0, ["alive", "alive"]]);
  t.match(told.attachments, [{ why: /at \/proc\/\d+\/ns\/net$/ }, { why: new RegExp(`at ${elsewhere}$`) }]);
  await execa("umount", [elsewhere]);
  t.same(outcomes((await gc(dataDir)).told), ["alive", "removed"]);
  child.kill("SIGKILL");
  await new Promise((resolve) => child.once("exit", resolve));
  t.same(outcomes((await gc(dataDir)).told), ["removed"]);
  t.same(await passts[0]!.journal(), []);
});

t.test("gc keeps a record if the runtime's directory is not visible, as in a container", async (t) => {
  const { pods, passts, dataDir } = await prepared(t, 1);
  await removeNamespaces([pods[0]!.namespace]);
  const hidden = [
    "unshare",
    "--mount",
    "--propagation=private",
    "--",
    "sh",
    "-c",
    // Replace all of /run except the records.
    'mount --bind /run/passt-binding /mnt && mount -t tmpfs -o mode=755 none /run && mkdir /run/passt-binding && mount --bind /mnt /run/passt-binding && exec "$@"',
    "sh",
  ];
  const { status, told } = await inJson<Told>("passt-binding", ["gc", "--data-dir", dataDir], { under: hidden });
  t.match([status, outcomes(told)], [1, ["left"]]);
  t.match(told.attachments[0]!.why, /\/run\/netns does not exist/);
  t.equal((await passts[0]!.journal()).length, 1);
});

t.test("gc keeps the record of a living pod in a container with a PID namespace of its own", async (t) => {
  const { pods, passts, dataDir } = await prepared(t, 2);
  const [file, ...args] = within(pods[0]!.namespace, "sh", "-c", "echo; exec sleep 60");
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "ignore"] });
  t.teardown(() => child.kill("SIGKILL"));
  await new Promise((resolve) => child.stdout.once("data", resolve));
  await removeNamespaces(pods.map(({ namespace }) => namespace));
  const container = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--"];
  const { status, told } = await inJson<Told>("passt-binding", ["gc", "--data-dir", dataDir], { under: container });
  t.match([status, outcomes(told)], [1, ["left", "left"]]);
  t.match(told.attachments[0]!.why, /the node's processes are not visible in this PID namespace; run this on the node/);
  t.equal((await passts[0]!.journal()).length, 2);
  t.same(outcomes((await gc(dataDir)).told), ["alive", "removed"], "on the node");
});

t.test("gc keeps records if /proc does not show the node's first process", async (t) => {
  const { pods, passts, dataDir } = await prepared(t, 1);
  await removeNamespaces([pods[0]!.namespace]);
  const hidden = ["unshare", "--mount", "--", "sh", "-c", 'mount -t tmpfs none /proc/1 && exec "$@"', "sh"];
  const { status, told } = await inJson<Told>("passt-binding", ["gc", "--data-dir", dataDir], { under: hidden });
  t.match([status, outcomes(told)], [1, ["left"]]);
  t.match(told.attachments[0]!.why, /processes and mounts are not visible \(.*\/proc\/1\/.*ENOENT.*\); run this on/);
  t.equal((await passts[0]!.journal()).length, 1);
});

t.test("gc keeps unreadable records, and removes killed ADDs without a namespace", async (t) => {
  const { pods, passts, dataDir } = await prepared(t, 3);
  const record = (passt: Attachment): string => `${dataDir}/${passt.call.containerId}/net1`;
  await rename(`${record(passts[0]!)}.json`, `${record(passts[0]!)}.pending`);
  await writeFile(`${record(passts[1]!)}.json`, "{");
  await rename(`${record(passts[2]!)}.json`, `${record(passts[2]!)}.pending`);
  await removeNamespaces([pods[0]!.namespace]);
  const { status, told } = await gc(dataDir);
  t.match([status, outcomes(told)], [1, ["removed", "alive"]]);
  t.match(told.unreadable, [{ fact: /is not a record/, hint: /move the file away/ }]);
  t.same(await passts[0]!.journal(), [
    `${passts[1]!.call.containerId}/net1.json`,
    `${passts[2]!.call.containerId}/net1.pending`,
  ]);
  const { stdout } = await byHand("passt-binding", ["gc", "--data-dir", dataDir]);
  t.match(stdout, /^left +.*is not a record.*\n +it cannot be read/m);
});

t.test("gc removes a record if another namespace has its path", async (t) => {
  const { pods, dataDir } = await prepared(t, 1);
  const { namespace } = pods[0]!;
  await ip(namespace, "link set lo up");
  await execa("ip", ["netns", "del", namespace.name]);
  await execa("ip", ["netns", "add", namespace.name]);
  const before = await snapshot(namespace);
  const { told } = await gc(dataDir);
  t.same(outcomes(told), ["removed"]);
  t.same(differences(before, await snapshot(namespace)), []);
});

t.test("gc succeeds without records, but fails without the directory of --data-dir", async (t) => {
  const dataDir = await newDataDir(t, "passt-binding");
  t.match(await byHand("passt-binding", ["gc", "--data-dir", dataDir]), { status: 3, stderr: /ENOENT/ });
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  t.match(await gc(dataDir), { status: 0, told: { attachments: [], unreadable: [] } });
  t.match(await byHand("sriov-vfio", ["gc", "--data-dir", dataDir]), { status: 0, stdout: /^0 attachments; / });
  t.match(await byHand("passt-binding", ["gc", "--dryrun"]), { status: 2, stderr: /did you mean --dry-run\?/ });
  t.match(await byHand("passt-binding", ["gc", "now"]), { status: 2, stderr: /unexpected argument: now/ });
});
