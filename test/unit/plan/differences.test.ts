import t from "tap";
import { apply } from "../../../lib/plan/apply.ts";
import type { Change } from "../../../lib/plan/change.ts";
import { expectation } from "../../../lib/plan/change.ts";
import { differences } from "../../../lib/plan/differences.ts";
import { markOf } from "../../../lib/plan/mark.ts";
import * as objects from "../../../lib/plan/objects.ts";
import { settled } from "../../../lib/plan/settle.ts";
import type { ObservedLink, State } from "../../../lib/plan/state.ts";
import { MemoryKernel } from "./memory-kernel.ts";
import { address, dummy, link, pod } from "./pods.ts";

const eth0 = link({ name: "eth0", index: 2, addresses: [address("10.244.0.7/24"), address("fd00::7/64")] });
const state = pod([eth0], { "net.a": "0" });
const changes = settled({
  state,
  changes: [
    objects.changed(eth0, {
      addresses: [...eth0.addresses, objects.address("10.9.0.1/24"), objects.address("FD09::1/64")],
      routes: [
        objects.route({ to: "10.8.0.0/16", via: "10.244.0.1", metric: 7, mtu: 1400 }),
        objects.route({ to: "10.7.0.0/16" }),
        objects.route({ to: "FD08::1/16", via: "FD00::1" }),
        objects.route({ to: "10.6.0.0/16", table: 100 }),
      ],
      neighbors: [objects.neighbor({ ip: "FD00:0::9", mac: "02:AB:00:00:00:01" }), objects.proxyNeighbor("10.244.0.9")],
    }),
    { do: "create", link: dummy({ name: "new0", mark: markOf(2) }) },
    objects.sysctl("net.a", "1", state),
  ] as Change[],
}).changes;

/** Returns what CHECK finds after ADD if `remove` changes the links. */
function found(
  remove: (links: readonly ObservedLink[]) => readonly ObservedLink[],
  sysctls?: State["sysctls"],
): unknown[] {
  const kernel = new MemoryKernel(state);
  apply(changes, kernel, state);
  const { links, sysctls: present } = kernel.state;
  return differences(expectation(changes), { links: remove(links), sysctls: sysctls ?? present });
}

/** Removes one object of eth0. */
const without =
  (list: "addresses" | "routes" | "neighbors", position: number) =>
  (links: readonly ObservedLink[]): ObservedLink[] =>
    links.map((one) => (one.name === "eth0" ? { ...one, [list]: one[list].filter((_, at) => at !== position) } : one));

t.test("CHECK finds nothing after ADD", async (t) => {
  t.same(
    found((links) => links),
    [],
  );
});

t.test("CHECK names each object that is removed, with its repair", async (t) => {
  const cases = [
    ["addresses", 2, "address 10.9.0.1/24 is missing", "ip address add 10.9.0.1/24 dev eth0"],
    ["addresses", 3, "address fd09::1/64 is missing", "ip address add fd09::1/64 dev eth0"],
    [
      "routes",
      0,
      "route 10.8.0.0/16 via 10.244.0.1 is missing",
      "ip route add 10.8.0.0/16 via 10.244.0.1 dev eth0 metric 7 mtu 1400",
    ],
    ["routes", 1, "route 10.7.0.0/16 is missing", "ip route add 10.7.0.0/16 dev eth0 scope link"],
    [
      "routes",
      2,
      "route fd08::/16 via fd00::1 is missing",
      "ip -6 route add fd08::/16 via fd00::1 dev eth0 metric 1024",
    ],
    // `ip route` needs more words than the repair has.
    ["routes", 3, "route 10.6.0.0/16 is missing", undefined],
    [
      "neighbors",
      0,
      "neighbor fd00::9 at 02:ab:00:00:00:01 is missing",
      "ip neighbor replace fd00::9 lladdr 02:ab:00:00:00:01 dev eth0 nud permanent",
    ],
    ["neighbors", 1, "neighbor 10.244.0.9 is missing", undefined],
  ] as const;
  for (const [list, position, fact, repair] of cases)
    t.same(found(without(list, position)), [{ subject: "eth0", fact, ...(repair !== undefined && { repair }) }]);
});

t.test("CHECK names a link that is removed, and a sysctl that differs", async (t) => {
  t.same(
    found((links) => links.filter(({ name }) => name !== "new0")),
    [{ subject: "new0", fact: "is missing" }],
  );
  t.same(
    found((links) => links, { "net.a": "0" }),
    [{ subject: "net.a", fact: "is 0, not 1", repair: "sysctl -w net.a=1" }],
  );
});
