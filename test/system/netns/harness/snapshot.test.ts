import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { ip, writeSysctls } from "../../../harness/ip.ts";
import { createNamespace, type Namespace } from "../../../harness/namespaces.ts";
import type { Scope } from "../../../harness/scope.ts";
import { differences, settledDifferences, snapshot } from "../../../harness/snapshot.ts";

const pair = [
  "link set lo up",
  "link add v0 type veth peer name v1",
  "link set v0 up",
  "link set v1 up",
  "address add 10.0.0.1/24 dev v0",
];

/** Creates a namespace with a pair of links, which need no duplicate address detection. */
async function namespaceWithPair(t: Scope): Promise<Namespace> {
  const namespace = await createNamespace(t);
  await writeSysctls(namespace, { "net/ipv6/conf/default/accept_dad": "0" });
  await ip(namespace, ...pair);
  return namespace;
}

t.test("a snapshot shows each kind of change, and equals the earlier one after the revert", async (t) => {
  const namespace = await namespaceWithPair(t);
  const before = await snapshot(namespace);
  const sysctl = (value: string) => (there: Namespace) => writeSysctls(there, { "net/ipv4/conf/v1/arp_ignore": value });
  const changes: [
    what: string,
    change: string | ((there: Namespace) => Promise<void>),
    inverse: string | ((there: Namespace) => Promise<void>),
  ][] = [
    ["link v1 mtu", "link set v1 mtu 1400", "link set v1 mtu 1500"],
    ["link v1 ", "link set v1 name v2", "link set v2 name v1"],
    ["address v0 10.0.0.2/24", "address add 10.0.0.2/24 dev v0", "address del 10.0.0.2/24 dev v0"],
    ["address v0 fd00::1/64", "address add fd00::1/64 dev v0", "address del fd00::1/64 dev v0"],
    ["route unicast 10.9.0.0/16", "route add 10.9.0.0/16 via 10.0.0.9 table 7", "route del 10.9.0.0/16 table 7"],
    ["route blackhole fd09::/64", "route add blackhole fd09::/64", "route del blackhole fd09::/64"],
    ["rule priority=9", "rule add priority 9 table 7", "rule del priority 9"],
    ["neighbor dev=v0 dst=10.0.0.9", "neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev v0", "neigh del 10.0.0.9 dev v0"],
    ["neighbor dev=v0 dst=10.0.0.8", "neigh add proxy 10.0.0.8 dev v0", "neigh del proxy 10.0.0.8 dev v0"],
    ["sysctl net/ipv4/conf/v1/arp_ignore", sysctl("1"), sysctl("0")],
    ["link br0 ", "link add br0 type bridge", "link del br0"],
    ["link v1 linkinfo.info_slave_data.learning", "link add br0 type bridge\nlink set v1 master br0", "link del br0"],
  ];
  for (const [what, change, inverse] of changes) {
    const perform = async (step: typeof change): Promise<void> =>
      typeof step === "string" ? ip(namespace, step) : step(namespace);
    await perform(change);
    const found = differences(before, await snapshot(namespace)).map((line) => line.replace("family=inet ", ""));
    t.ok(
      found.some((line) => line.slice(2).startsWith(what)),
      `${what}: seen`,
      { found },
    );
    await perform(inverse);
    t.same(await settledDifferences(namespace, before), [], `${what}: undone`);
  }
});

t.test("a difference shows the fact before and after", async (t) => {
  const namespace = await namespaceWithPair(t);
  const before = await snapshot(namespace);
  await ip(namespace, "link set v0 txqueuelen 7");
  t.same(differences(before, await snapshot(namespace)), ["- link v0 txqlen 1000", "+ link v0 txqlen 7"]);
});

t.test("a snapshot ignores a running lifetime and shows a changed one", async (t) => {
  const namespace = await namespaceWithPair(t);
  await ip(namespace, "address add 10.0.1.1/24 dev v0 valid_lft 100 preferred_lft 50");
  const before = await snapshot(namespace);
  await sleep(1500);
  t.same(differences(before, await snapshot(namespace)), []);
  await ip(namespace, "address change 10.0.1.1/24 dev v0 valid_lft 200 preferred_lft 50");
  t.match(differences(before, await snapshot(namespace)), [/^- address v0 10\.0\.1\.1/, /^\+ address v0 10\.0\.1\.1/]);
});

t.test("a snapshot waits for duplicate address detection on links with a carrier", async (t) => {
  const namespace = await createNamespace(t);
  await ip(
    namespace,
    ...pair,
    "link add v2 type veth peer name v3",
    "address add fd00::1/64 dev v0",
    "address add fd00::2/64 dev v2",
  );
  const tentative = (await snapshot(namespace)).filter((line) => line.includes(" tentative="));
  t.match(tentative, [/^address v2 fd00::2\/64/]);
});
