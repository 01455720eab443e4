// Tests that ADD then DEL is the identity for everything that an author may plan, on the real
// kernel.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";
import { newDataDir } from "../../../harness/attachment.ts";
import { fc } from "../../../harness/fast-check.ts";
import { failingAt, killedBefore, type Mutation, watch } from "../../../harness/faults.ts";
import { ipShow } from "../../../harness/ip.ts";
import { type Answer, callPlugin } from "../../../harness/plugin.ts";
import { createPod } from "../../../harness/pod.ts";
import { seed } from "../../../harness/seed.ts";
import { type Snapshot, settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { own, plans } from "./any-plan.ts";
import type { AnyPlan } from "./plugins/any-plan/main.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const directory = await mkdtemp(join(tmpdir(), "any-plan-"));
t.teardown(() => rm(directory, { recursive: true }));
await execa(join(root, "scripts/build"), ["--plugins", join(import.meta.dirname, "plugins"), "--out", directory]);
const plugin = join(directory, "any-plan");

const pod = await createPod(t);
await pod.attach({
  kind: "veth",
  ifname: "eth0",
  addresses: [`${own.ipv4}/24`, `${own.ipv6}/64`],
  routes: ["default via 10.1.0.1", "default via fd00:1::1"],
});
const dataDir = await newDataDir(t, "any-plan");
const [{ ifindex: index }] = (await ipShow<{ ifindex: number }>(pod.namespace, "link show eth0")) as [
  { ifindex: number },
];
const before: Snapshot = await snapshot(pod.namespace);

const silent = { status: 0, stdout: "", stderr: "" };

function run(verb: string, plan: AnyPlan, under: readonly string[] = []): Promise<Answer> {
  const netconf = { cniVersion: "1.1.0", name: "any", type: "any-plan", dataDir, plan: JSON.stringify(plan) };
  const extra = verb === "CHECK" ? { prevResult: { cniVersion: "1.1.0" } } : {};
  return callPlugin(plugin, verb, { ...pod.call("net1"), under }, { ...netconf, ...extra });
}

const left = (): Promise<string[]> => settledDifferences(pod.namespace, before);

t.test("ADD of any plan succeeds and DEL restores the pod, or ADD fails and changes nothing", async (t) => {
  let succeeded = 0;
  const runs = 60;
  const property = fc.asyncProperty(plans(index), async (plan) => {
    const added = await run("ADD", plan);
    if (added.status === 0) {
      succeeded++;
      const checked = await run("CHECK", plan);
      if (checked.status !== 0) throw new Error(`CHECK: ${checked.stdout}`);
      const deleted = await run("DEL", plan);
      if (deleted.status !== 0) throw new Error(`DEL: ${deleted.stdout}`);
    } else if (![5, 100, 102].includes(added.error?.code ?? 0)) throw new Error(`ADD: ${added.stdout}${added.stderr}`);
    const differences = await left();
    if (differences.length > 0) throw new Error(`${added.stdout}\n${differences.join("\n")}`);
  });
  await fc.assert(property, { numRuns: runs, endOnFailure: true });
  t.ok(succeeded >= runs / 2, `${succeeded} of ${runs} plans were performed`);
});

t.test("DEL restores the pod after ADD failed or was killed at any change", async (t) => {
  for (const plan of fc.sample(plans(index), { numRuns: 4, seed })) {
    const { under, mutations } = await watch(t);
    await run("ADD", plan, under);
    t.match(await run("DEL", plan), silent);
    t.same(await left(), []);
    for (const point of everySixth(await mutations())) {
      const what = `${point.name} ${point.nth}: ${point.text.slice(0, 100)}`;
      const answer = await run("ADD", plan, failingAt(point, "EPERM"));
      if (answer.status === 0) t.match(await run("DEL", plan), silent, what);
      t.same(await left(), [], `failing ${what}`);
      await run("ADD", plan, killedBefore(point));
      t.match(await run("DEL", plan), silent, what);
      t.same(await left(), [], `killed before ${what}`);
    }
  }
});

function everySixth(points: readonly Mutation[]): Mutation[] {
  return points.filter((_, position) => position % 6 === seed % 6);
}

const full: AnyPlan = {
  addresses: [addressOf(2, "10.77.0.1", 24), addressOf(10, "FD77:0::1", 64)],
  routes: [
    { ...routeOf(2, "10.78.0.0", 24), gateway: "10.1.0.1" },
    { ...routeOf(10, "FD78::7", 64), gateway: "FD00:1::1", metric: 0 },
  ],
  neighbors: [{ family: 2, type: 1, destination: "10.1.0.9", mac: "02:AB:00:00:00:09", state: 0x80, flags: 0 }],
  sysctls: { "net.ipv4.conf.eth0.arp_announce": "2" },
};

function addressOf(family: number, local: string, prefixLength: number): NonNullable<AnyPlan["addresses"]>[number] {
  return { message: { family, prefixLength, scope: 0, flags: 0, local, address: local }, prefixRoute: true };
}

function routeOf(family: number, destination: string, length: number): NonNullable<AnyPlan["routes"]>[number] {
  const common = { sourceLength: 0, tos: 0, table: 254, protocol: 3, scope: 0, type: 1, flags: 0 };
  return { family, destination, destinationLength: length, ...common };
}

t.test("CHECK names each object that was removed, and the repair that it prints restores it", async (t) => {
  const cases = [
    ["ip address del 10.77.0.1/24 dev eth0", "eth0: address 10.77.0.1/24 is missing"],
    ["ip address del fd77::1/64 dev eth0", "eth0: address fd77::1/64 is missing"],
    ["ip route del 10.78.0.0/24", "eth0: route 10.78.0.0/24 via 10.1.0.1 is missing"],
    ["ip -6 route del fd78::/64", "eth0: route fd78::/64 via fd00:1::1 is missing"],
    ["ip neigh del 10.1.0.9 dev eth0", "eth0: neighbor 10.1.0.9 at 02:ab:00:00:00:09 is missing"],
    ["sysctl -qw net.ipv4.conf.eth0.arp_announce=0", "net.ipv4.conf.eth0.arp_announce: is 0, not 2"],
  ] as const;
  t.match(await run("ADD", full), { status: 0 });
  for (const [command, msg] of cases) {
    await inPod(command);
    const { status, error } = await run("CHECK", full);
    t.match({ status, error }, { status: 1, error: { code: 101, msg } }, command);
    await inPod(await repair());
    t.match(await run("CHECK", full), silent, command);
  }
  t.match(await run("DEL", full), silent);
  t.same(await left(), []);
});

async function inPod(command: string): Promise<void> {
  await execa("ip", ["netns", "exec", pod.namespace.name, "sh", "-c", command]);
}

/** Returns the command that the plugin's own `check` prints. */
async function repair(): Promise<string> {
  const { stdout } = await execa(plugin, ["check", "--data-dir", dataDir, "--json"], { reject: false });
  const [{ findings }] = JSON.parse(stdout).attachments as [{ findings: [{ hint: string }] }];
  return findings[0].hint;
}

t.test("ADD refuses a `from` that differs from the pod, and changes nothing", async (t) => {
  const cases: readonly (readonly [NonNullable<AnyPlan["from"]>, string])[] = [
    [{ mtu: 1300 }, "eth0: mtu is 1500, but the plan's from says 1300"],
    [{ up: false }, "eth0: up is true, but the plan's from says false"],
    [{ mac: "02:00:00:00:00:01" }, "eth0: mac is "],
    [
      { addresses: [addressOf(2, "10.9.9.9", 24)] },
      "eth0: address 10.9.9.9/24: is in the plan's from, but was not observed",
    ],
    [
      { routes: [{ ...routeOf(2, "10.9.0.0", 24), gateway: "10.1.0.1" }] },
      "eth0: route 10.9.0.0/24 via 10.1.0.1: is in the plan's from, but was not observed",
    ],
  ];
  for (const [from, msg] of cases) {
    const { status, error } = await run("ADD", { from });
    t.equal(status, 1);
    t.equal(error?.code, 102);
    t.equal(error?.msg.slice(0, msg.length), msg);
    t.same(await left(), []);
  }
});

t.test("ADD refuses what the kernel would not keep, and changes nothing", async (t) => {
  const blackhole = { ...routeOf(2, "10.78.0.0", 24), type: 6 };
  const stale = { family: 2, type: 1, destination: "10.1.0.9", mac: "02:ab:00:00:00:09", state: 4, flags: 0 };
  const sysctl = "net.ipv4.conf.eth0.arp_announce";
  const cases: readonly (readonly [AnyPlan, string])[] = [
    [{ routes: [blackhole] }, "eth0: route 10.78.0.0/24: type is 6, expected"],
    [
      { routes: [{ ...blackhole, type: 1, gateway: "fd00::1" }] },
      "eth0: route 10.78.0.0/24 via fd00::1: gateway is fd00::1, expected an IPv4 address",
    ],
    [
      { routes: [routeOf(2, "10.78.0.7", 24)] },
      "eth0: route 10.78.0.7/24: destination is 10.78.0.7, expected 10.78.0.0",
    ],
    [{ neighbors: [stale] }, "eth0: neighbor 10.1.0.9 at 02:ab:00:00:00:09: state is 4, expected 128 or 64"],
    [{ addresses: [addressOf(2, "10.77.0.300", 24)] }, "eth0: address 10.77.0.300/24: local is 10.77.0.300, expected"],
    [{ settings: { name: "eth1" }, keep: { [sysctl]: "1" } }, `${sysctl}: the plan renames eth0 to eth1`],
  ];
  for (const [plan, msg] of cases) {
    const { status, error } = await run("ADD", plan);
    t.equal(status, 1);
    t.equal(error?.msg.slice(0, msg.length), msg);
    t.same(await left(), []);
  }
});
