// Checks that a process in the pod cannot delay or falsify the calls for its own pod.
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";
import { attachmentOf } from "../../../harness/attachment.ts";
import { ip } from "../../../harness/ip.ts";
import { within } from "../../../harness/namespaces.ts";
import { createPod, type Pod } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { differences, snapshot } from "../../../harness/snapshot.ts";

const plugins = ["bridge-binding", "passt-binding"] as const;

/** Starts a process in the pod, with a mount namespace of its own, and waits for its first line. */
async function started(t: Scope, pod: Pod, ...command: readonly string[]): Promise<void> {
  const [file, ...args] = within(pod.namespace, "unshare", "--mount", ...command);
  const child = execa(file, args, { reject: false });
  t.teardown(async () => {
    child.kill("SIGKILL");
    await child;
  });
  await once(child.stdout, "data");
}

t.test("a process of user 107 that locks its own namespace delays no call", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge" });
  await started(
    t,
    pod,
    "setpriv",
    "--reuid=107",
    "--regid=107",
    "--clear-groups",
    "--bounding-set=-all",
    "--no-new-privs",
    ...["flock", "--no-fork", "--exclusive", "/proc/self/ns/net", "sh", "-c", "echo ready; exec sleep 600"],
  );
  for (const plugin of plugins) {
    const attachment = await attachmentOf(t, plugin, pod, { netconf: { logLevel: "info" } });
    const before = await snapshot(pod.namespace);
    for (const verb of ["ADD", "CHECK", "DEL"]) {
      const answer = await attachment.run(verb, { ...(verb === "CHECK" && { prevResult: { cniVersion: "1.1.0" } }) });
      t.match(answer, { status: 0 }, `${plugin} ${verb}`);
      // A call that waits for the lock waits 20 s.
      t.ok(Number(/ms=([\d.]+)/.exec(answer.stderr)?.[1]) < 10_000, `${plugin} ${verb}: ${answer.stderr}`);
    }
    t.same(differences(before, await snapshot(pod.namespace)), []);
  }
});

t.test("DEL restores the pod while a process in the pod forges the kernel's answers", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge" });
  const forger = fileURLToPath(new URL("../../../harness/forger.py", import.meta.url));
  await started(t, pod, "setpriv", "--bounding-set=-all,+net_admin", "python3", forger);
  for (const plugin of plugins)
    for (let round = 0; round < 5; round++) {
      const attachment = await attachmentOf(t, plugin, pod);
      const before = await snapshot(pod.namespace);
      await attachment.add();
      t.match(await attachment.check(), { status: 0 });
      t.match(await attachment.run("DEL"), { status: 0 });
      t.same(differences(before, await snapshot(pod.namespace)), [], `${plugin}, round ${round}`);
      t.same(await attachment.journal(), []);
    }
});

t.test("CHECK and DEL succeed in 8 MB while the pod holds 40,000 routes and 10,000 neighbours", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "veth", addresses: ["10.1.0.2/24"], routes: ["default via 10.1.0.1"] });
  const attachment = await attachmentOf(t, "bridge-binding", pod, { netconf: { args: {} } });
  const before = await snapshot(pod.namespace);
  t.match(await attachment.run("ADD"), { status: 0 });
  await ip(pod.namespace, "link add foreign0 type veth peer name foreign1", "link set foreign0 up");
  await flood(pod, [
    ...numbered(20_000, (ip) => `route add ${ip}/32 dev eth0-nic`),
    ...numbered(20_000, (ip) => `route add ${ip}/32 dev foreign0 table 100`),
    ...numbered(10_000, (ip) => `neigh add ${ip} lladdr 02:00:00:00:00:01 dev eth0-nic nud permanent`),
  ]);

  for (const verb of ["CHECK", "DEL"]) {
    const { limits, peak } = await measured(t);
    const extra = verb === "CHECK" ? { prevResult: { cniVersion: "1.1.0" } } : {};
    t.match(await attachment.run(verb, extra, { under: limits }), { status: 0, stdout: "", stderr: "" }, verb);
    t.ok((await peak()) < 8_000, `${verb}: ${await peak()} KB`);
  }
  await ip(
    pod.namespace,
    "link del foreign0",
    "route flush dev eth0 table main proto boot",
    "neigh flush dev eth0 nud all",
  );
  await ip(pod.namespace, "route add default via 10.1.0.1");
  t.same(differences(before, await snapshot(pod.namespace)), []);
});

/** Returns `count` commands, each for an address of its own. */
function numbered(count: number, command: (ip: string) => string): string[] {
  return Array.from({ length: count }, (_, n) => command(`10.${100 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`));
}

/** Runs commands of `ip` in the pod as one batch. */
async function flood(pod: Pod, commands: readonly string[]): Promise<void> {
  const [file, ...args] = within(pod.namespace, "ip", "-batch", "-");
  await execa(file, args, { input: commands.join("\n") });
}

/** Returns a prefix for a call, and the call's peak memory in KB after it ended. */
async function measured(t: Scope): Promise<{ limits: readonly string[]; peak(): Promise<number> }> {
  const directory = await mkdtemp(join(tmpdir(), "peak-"));
  t.teardown(() => rm(directory, { recursive: true }));
  const file = join(directory, "peak");
  const script = `
import os, resource, sys
pid = os.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
status = os.waitpid(pid, 0)[1]
open(sys.argv[1], "w").write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
os._exit(os.waitstatus_to_exitcode(status))
`;
  return {
    limits: ["/usr/bin/python3", "-c", script, file],
    peak: async () => Number(await readFile(file, "utf8")),
  };
}
