// Tests what `diagnose` finds in pods of passt-binding, in pods without attachment, and its errors.
import { chmod, chown, copyFile, mkdtemp, rm } from "node:fs/promises";
import { execa } from "execa";
import t from "tap";
import { ip, writeSysctls } from "../../../harness/ip.ts";
import { dist } from "../../../harness/plugin.ts";
import { createPod } from "../../../harness/pod.ts";
import { differences, snapshot } from "../../../harness/snapshot.ts";
import { diagnose, patientOf } from "./diagnosing.ts";

t.test("diagnose finds nothing in a pod for passt, and changes nothing", async (t) => {
  const { pod, dataDir } = await patientOf(t, "passt-binding", { families: "ipv4" });
  const before = await snapshot(pod.namespace);
  const { status, stdout } = await diagnose(["--data-dir", dataDir, pod.namespace.path]);
  t.equal(status, 0);
  t.match(stdout, /^network ─── eth0 ─── passt ─── guest {4}passt-binding, net1 of container-/);
  t.match(stdout, /^unprivileged ports from 0, pings for groups 107 to 107$/m);
  t.same(differences(before, await snapshot(pod.namespace)), []);
});

t.test("diagnose reports sysctls that are too narrow for passt, and accepts wider ones", async (t) => {
  const { pod, findings } = await patientOf(t, "passt-binding");
  const [ports, groups] = ["net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range"];
  for (const [path, value, found] of [
    ["net/ipv4/ip_unprivileged_port_start", "80", [`passt-ports ${ports}`]],
    ["net/ipv4/ip_unprivileged_port_start", "0", []],
    ["net/ipv4/ping_group_range", "1 0", [`passt-ping ${groups}`]],
    ["net/ipv4/ping_group_range", "0 106", [`passt-ping ${groups}`]],
    ["net/ipv4/ping_group_range", "108 200", [`passt-ping ${groups}`]],
    ["net/ipv4/ping_group_range", "0 1000", []],
  ] as const) {
    await writeSysctls(pod.namespace, { [path]: value });
    t.same(await findings(), found, `${path} ${value}`);
  }
});

t.test("diagnose reports a pod link that is down or has no carrier", async (t) => {
  const { pod, findings } = await patientOf(t, "passt-binding", { kind: "veth", addresses: ["10.9.0.2/24"] });
  await ip(pod.node, "link set veth1 down");
  t.same(await findings(), ["no-carrier eth0"]);
  await ip(pod.namespace, "link set eth0 down");
  t.same(await findings(), ["link-down eth0"]);
});

t.test("diagnose draws a pod without attachments", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge" });
  const { status, stdout } = await diagnose([pod.namespace.path]);
  t.equal(status, 0);
  t.match(stdout, /^network ─── eth0\n/);
});

t.test("diagnose accepts a namespace by path, by name and by process", async (t) => {
  const { pod, dataDir } = await patientOf(t);
  const sleeper = execa("nsenter", [`--net=${pod.namespace.path}`, "sleep", "60"], { reject: false });
  t.teardown(() => sleeper.kill());
  const inside = async (): Promise<boolean> =>
    (await execa("readlink", [`/proc/${sleeper.pid}/ns/net`])).stdout !==
    (await execa("readlink", ["/proc/self/ns/net"])).stdout;
  while (!(await inside()));
  for (const operand of [pod.namespace.path, pod.namespace.name, `${sleeper.pid}`, `/proc/${sleeper.pid}/ns/net`])
    t.match(await diagnose(["--data-dir", dataDir, operand]), { status: 0, stdout: /eth0-nic/ }, operand);
});

t.test("diagnose exits with 3 if it cannot read the pod, with 2 for wrong arguments", async (t) => {
  for (const [args, status, stderr] of [
    [["no-such-pod"], 3, "vmnet: /run/netns/no-such-pod: is not there: no such network namespace or process"],
    [["4194305"], 3, "vmnet: /proc/4194305/ns/net: is not there: no such network namespace or process"],
    [["/etc/passwd"], 3, "vmnet: /etc/passwd: is no network namespace"],
    [["/etc"], 3, "vmnet: /etc: is no network namespace"],
    [["/proc/self/ns/net"], 3, "vmnet: /proc/self/ns/net: is the node's own network namespace, not a pod's"],
    [["--data-dir", "/run/no-such-journal", "blue"], 3, /no-such-journal/],
    [["--data-dir", "journal", "blue"], 2, /must be an absolute path/],
    [[], 2, /^vmnet: a network namespace or a process is missing; usage: /],
    [["blue", "red"], 2, /^vmnet: unexpected argument: red; usage: /],
    [["--jsn", "blue"], 2, /did you mean --json/],
  ] as const)
    t.match(await diagnose(args), { status, stdout: "", stderr }, args.join(" "));
});

t.test("diagnose tells a user who is not root to use sudo", async (t) => {
  const pod = await createPod(t);
  // The other user must be able to enter this directory.
  const directory = await mkdtemp("/tmp/diagnose-");
  t.teardown(() => rm(directory, { recursive: true }));
  await chmod(directory, 0o755);
  await copyFile(`${dist}/vmnet`, `${directory}/vmnet`);
  const command = ["--reuid=1000", "--regid=1000", "--clear-groups", `${directory}/vmnet`, "diagnose"];
  const { exitCode, stderr } = await execa("setpriv", [...command, pod.namespace.path], { reject: false });
  t.equal(exitCode, 3, stderr);
  t.match(stderr, /cannot be entered without root's rights \(CAP_SYS_ADMIN\); use sudo/);
});

t.test("diagnose ignores records in a directory that does not belong to root", async (t) => {
  const { findings, dataDir } = await patientOf(t);
  await chown(dataDir, 1000, 1000);
  t.match(await findings(), [/^record-unreadable/, /^record-missing/]);
});

t.test("diagnose quotes a link's name for the terminal and for the shell", async (t) => {
  const { pod, dataDir } = await patientOf(t);
  const [file, ...args] = ["ip", "-n", pod.namespace.name, "link", "set", "tap0", "name", "t\x1b[2J;$(id)'"];
  await ip(pod.namespace, "link set tap0 down");
  await execa(file!, args);
  const { stdout } = await diagnose(["--data-dir", dataDir, pod.namespace.path]);
  t.notMatch(stdout, "\x1b");
  t.match(stdout, /ip link set 't\\x1b\[2J;\$\(id\)'\\''' /);
});
