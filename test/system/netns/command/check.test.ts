import { type ChildProcess, spawn } from "node:child_process";
import { chmod, mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { execa } from "execa";
import t from "tap";
import { type Attachment, newDataDir } from "../../../harness/attachment.ts";
import { ip, writeSysctls } from "../../../harness/ip.ts";
import { removeNamespaces, within } from "../../../harness/namespaces.ts";
import { createPod, createPods, type Pod } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { differences, snapshot } from "../../../harness/snapshot.ts";
import { bindingOf } from "../bridge-binding/binding.ts";
import { passtOf } from "../passt-binding/rights.ts";
import { byHand, inJson, onTerminal } from "./by-hand.ts";

interface Told {
  readonly healthy: boolean;
  readonly attachments: readonly {
    readonly containerId: string;
    readonly condition: string;
    readonly findings: readonly { readonly fact: string; readonly hint?: string }[];
  }[];
  readonly unreadable: readonly { readonly fact: string; readonly hint: string }[];
}

const check = (plugin: string, dataDir: string, ...args: string[]) =>
  inJson<Told>(plugin, ["check", "--data-dir", dataDir, ...args]);

/** Creates pods with one attachment each, all in one journal. */
async function bound(t: Scope, length: number): Promise<{ pods: Pod[]; bindings: Attachment[]; dataDir: string }> {
  const dataDir = await newDataDir(t, "bridge-binding");
  const pods = await createPods(t, length);
  const bindings: Attachment[] = [];
  for (const pod of pods) {
    await pod.attach({ kind: "bridge" });
    const binding = await bindingOf(t, pod, { dataDir });
    await binding.add();
    bindings.push(binding);
  }
  return { pods, bindings, dataDir };
}

/** Starts a process in the pod. */
async function processIn(t: Scope, pod: Pod): Promise<ChildProcess> {
  const [file, ...args] = within(pod.namespace, "sh", "-c", "echo; exec sleep 60");
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "ignore"] });
  t.teardown(() => child.kill("SIGKILL"));
  await new Promise((resolve) => child.stdout!.once("data", resolve));
  return child;
}

t.test("check inspects all attachments, or those of a container, path or process", async (t) => {
  const { pods, dataDir } = await bound(t, 2);
  const [pod, other] = pods as [Pod, Pod];
  const before = await snapshot(pod.namespace);
  const files = await readdir(dataDir);
  const all = await check("bridge-binding", dataDir);
  t.match(all, { status: 0, told: { healthy: true, unreadable: [] } });
  t.same(
    all.told.attachments.map(({ containerId, condition }) => [containerId, condition]),
    pods.map(({ containerId }) => [containerId, "healthy"]),
  );
  const process = await processIn(t, pod);
  for (const about of [pod.containerId, pod.namespace.path, `${process.pid}`]) {
    const { status, told } = await check("bridge-binding", dataDir, about);
    t.match([status, told.attachments.map(({ containerId }) => containerId)], [0, [pod.containerId]], about);
  }
  const both = await check("bridge-binding", dataDir, "container-");
  t.equal(both.told.attachments.length, 2, "the beginning of an ID");
  const text = await byHand("bridge-binding", ["check", "--data-dir", dataDir, other.containerId]);
  t.match(text, { status: 0, stderr: "" });
  t.equal(
    text.stdout,
    `ok  net1 of container ${other.containerId} (network bridge-binding), ${other.namespace.path}\n1 attachment recorded in ${dataDir}`,
  );
  t.same(differences(before, await snapshot(pod.namespace)), []);
  t.same(await readdir(dataDir), files);
});

t.test("check prints a command for each difference, and these commands repair the pod", async (t) => {
  const { pods, dataDir } = await bound(t, 2);
  const [pod, healthy] = pods as [Pod, Pod];
  await ip(pod.namespace, "link set tap0 down", "link set eth0-nic nomaster", "link set eth0 mtu 1400");
  await ip(pod.namespace, "address del 10.1.0.2/24 dev eth0");
  await writeSysctls(pod.namespace, { "net/ipv4/conf/all/arp_ignore": "0" });
  const broken = await check("bridge-binding", dataDir);
  t.match([broken.status, broken.told.healthy], [1, false]);
  const one = broken.told.attachments.find(({ containerId }) => containerId === pod.containerId)!;
  t.equal(one.condition, "differs");
  for (const fact of [
    /^tap0: is down, not up$/,
    /^eth0-nic: master is none, not k6t-eth0$/,
    /^eth0: MTU is 1400, not 1500$/,
    /^eth0: address 10\.1\.0\.2\/24 is missing$/,
    /^net\.ipv4\.conf\.all\.arp_ignore: is 0, not 1$/,
  ])
    t.ok(
      one.findings.some((finding) => fact.test(finding.fact)),
      `${fact}`,
    );
  const other = broken.told.attachments.find(({ containerId }) => containerId === healthy.containerId)!;
  t.equal(other.condition, "healthy");
  // Run each hint, twice. A port that left its bridge has lost its port settings. `check` reports
  // them only after the port has joined the bridge again.
  for (let round = 0; round < 2; round++) {
    const { told } = await check("bridge-binding", dataDir, pod.containerId);
    for (const { hint } of told.attachments[0]!.findings) {
      const [nsenter, netns, ...command] = hint!.split(" ");
      t.same([nsenter, netns], ["nsenter", `--net=${pod.namespace.path}`]);
      await execa(nsenter!, [netns!, ...command]);
    }
  }
  t.match(await check("bridge-binding", dataDir), { status: 0, told: { healthy: true } });
});

t.test("check says that only ADD can recreate a deleted tap", async (t) => {
  const { pods, dataDir } = await bound(t, 1);
  await ip(pods[0]!.namespace, "link del tap0");
  const { told } = await check("bridge-binding", dataDir);
  t.match(told.attachments[0]!.findings, [{ fact: "tap0: is missing", hint: /^only a new ADD makes it/ }]);
});

t.test("check distinguishes vanished namespaces, killed ADDs and unreadable records", async (t) => {
  const { pods, bindings, dataDir } = await bound(t, 3);
  await removeNamespaces([pods[0]!.namespace]);
  const [killed, foreign] = [bindings[1]!, bindings[2]!].map(({ call }) => `${dataDir}/${call.containerId}/net1`);
  await rename(`${killed}.json`, `${killed}.pending`);
  await writeFile(`${foreign}.json`, "{");
  const { status, told } = await check("bridge-binding", dataDir);
  t.equal(status, 1);
  t.same(
    told.attachments.map(({ condition }) => condition),
    ["vanished", "interrupted"],
  );
  t.match(told.attachments[0]!.findings, [
    { fact: /no longer exists, and DEL was not called/, hint: /^bridge-binding gc {2}# / },
  ]);
  t.match(told.unreadable, [{ fact: new RegExp(`${foreign}\\.json: is not a record`), hint: /move the file away/ }]);
  const { stdout } = await byHand("bridge-binding", ["check", "--data-dir", dataDir]);
  t.match(stdout, /^vanished +net1 .*\n.*\n +do: bridge-binding gc {2}#/m);
  t.match(stdout, /^interrupted +net1 /m);
  t.match(stdout, /^unreadable +/m);
  t.match(stdout, /2 attachments recorded in .*, 3 with problems$/);
});

t.test("check enters a namespace without a path through a process in it", async (t) => {
  const { pods, dataDir } = await bound(t, 1);
  const process = await processIn(t, pods[0]!);
  await removeNamespaces([pods[0]!.namespace]);
  t.match(await check("bridge-binding", dataDir), { status: 0, told: { attachments: [{ condition: "healthy" }] } });
  t.match(await check("bridge-binding", dataDir, `${process.pid}`), { told: { attachments: [{}] } });
});

t.test("check reports a pod with a running call as busy, and checks the others", async (t) => {
  const { pods, dataDir } = await bound(t, 2);
  const [file, ...args] = [
    "flock",
    "--no-fork",
    "--exclusive",
    pods[0]!.namespace.path,
    "sh",
    "-c",
    "echo; exec sleep 60",
  ] as const;
  const holder = spawn(file, args, { stdio: ["ignore", "pipe", "ignore"] });
  t.teardown(() => holder.kill("SIGKILL"));
  await new Promise((resolve) => holder.stdout.once("data", resolve));
  const { status, told } = await check("bridge-binding", dataDir);
  t.equal(status, 1);
  t.match(told.attachments, [{ condition: "busy", findings: [{ hint: /^retry in/ }] }, { condition: "healthy" }]);
});

t.test("check accepts sysctls that are wider than recorded, but not narrower ones", async (t) => {
  const pod = await createPod(t);
  const passt = await passtOf(t, pod, { netconf: { unprivilegedPortStart: 80 } });
  await passt.add();
  await writeSysctls(pod.namespace, {
    "net/ipv4/ip_unprivileged_port_start": "53",
    "net/ipv4/ping_group_range": "0 200",
  });
  t.match(await check("passt-binding", passt.dataDir), { status: 0, told: { healthy: true } });
  await writeSysctls(pod.namespace, {
    "net/ipv4/ip_unprivileged_port_start": "1024",
    "net/ipv4/ping_group_range": "1 0",
  });
  const { status, told } = await check("passt-binding", passt.dataDir);
  t.equal(status, 1);
  t.match(told.attachments[0]!.findings, [
    {
      fact: "net.ipv4.ip_unprivileged_port_start: is 1024, not 80",
      hint: /sysctl -w net\.ipv4\.ip_unprivileged_port_start="80"$/,
    },
    { fact: "net.ipv4.ping_group_range: is 1 0, not 107 107", hint: /="107 107"$/ },
  ]);
});

t.test("check exits with 1 without a record, with 3 without the directory", async (t) => {
  const { pods, dataDir } = await bound(t, 1);
  const other = await createPod(t);
  for (const about of ["nosuch", other.namespace.path]) {
    const { status, stdout } = await byHand("bridge-binding", ["check", "--data-dir", dataDir, about]);
    t.match({ status, stdout }, { status: 1, stdout: /^none +.* holds no record of / });
  }
  for (const args of [
    ["--data-dir", `${dataDir}/nosuch`],
    ["--data-dir", dataDir, "/run/netns/nosuch"],
    ["--data-dir", `${dataDir}/${pods[0]!.containerId}/net1.json`],
  ])
    t.match(await byHand("bridge-binding", ["check", ...args]), { status: 3, stdout: "", stderr: /^bridge-binding: / });
  for (const args of [["--data-dir"], ["--data-dir", "run"], ["--josn"], ["a", "b"], ["--json=1"]])
    t.match(await byHand("bridge-binding", ["check", ...args]), {
      status: 2,
      stdout: "",
      stderr: /usage: bridge-binding check \[--json\]/,
    });
});

t.test("check ignores records in a directory that others can write to", async (t) => {
  const { dataDir } = await bound(t, 2);
  await chmod(dataDir, 0o777);
  const { status, told } = await check("bridge-binding", dataDir);
  t.match({ status, told }, { status: 1, told: { attachments: [], unreadable: [{ fact: /lets other users write/ }] } });
  t.equal(told.unreadable.length, 1);
});

t.test("check prints colors on a terminal only", async (t) => {
  const { dataDir } = await bound(t, 1);
  const args = ["check", "--data-dir", dataDir];
  const piped = await byHand("bridge-binding", args);
  const shown = await onTerminal("bridge-binding", args);
  t.ok(shown.startsWith("\x1b[32mok\x1b[39m  net1 "), shown);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is taken away
  t.equal(shown.trimEnd().replaceAll(/\x1b\[\d+m/g, ""), piped.stdout);
  for (const env of [{ NO_COLOR: "1" }, { TERM: "dumb" }])
    t.equal((await onTerminal("bridge-binding", args, env)).trimEnd(), piped.stdout);
});

t.test("check reads only its own plugin's records", async (t) => {
  const dataDir = await newDataDir(t, "bridge-binding");
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge" });
  const binding = await bindingOf(t, pod, { dataDir });
  await binding.add();
  const passt = await passtOf(t, pod, { ifname: "net2" });
  await passt.add();
  for (const [plugin, directory] of [
    ["bridge-binding", dataDir],
    ["passt-binding", passt.dataDir],
  ] as const)
    t.match(await check(plugin, directory), { status: 0, told: { attachments: [{ condition: "healthy" }] } });
  t.match(await check("sriov-vfio", dataDir), {
    status: 1,
    told: { attachments: [], unreadable: [{ fact: /is a record of "bridge-binding", expected one of sriov-vfio$/ }] },
  });
  t.ok(JSON.parse(await readFile(`${dataDir}/${pod.containerId}/net1.json`, "utf8")));
});
