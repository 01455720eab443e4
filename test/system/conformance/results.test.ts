// Tests the schemas of results: each accepts the examples of the specification, and refuses results
// of other versions.
import t from "tap";
import { versions } from "../../harness/previous-result.ts";
import { error, faultsOf, faultsOfResult } from "./results.ts";

const dns = { nameservers: ["10.1.0.1", "fd00::1"], domain: "a", search: ["a"], options: ["ndots:2"] };
const families = { ip4: { ip: "10.0.0.2/24", gateway: "10.0.0.1", routes: [{ dst: "0.0.0.0/0" }] }, dns };
const interfaces = [
  { name: "br0", mac: "02:00:00:00:00:01" },
  { name: "eth0", sandbox: "/run/netns/a" },
];
const ip = { address: "10.0.0.2/24", gateway: "10.0.0.1", interface: 1 };
const lists = { interfaces, ips: [ip], routes: [{ dst: "0.0.0.0/0", gw: "10.0.0.1" }], dns };
const versioned = { ...lists, ips: [{ version: "4", ...ip }] };
const newest = {
  ...lists,
  interfaces: [interfaces[0], { ...interfaces[1], mtu: 1500, socketPath: "/run/s", pciID: "0000:00:01.0" }],
  routes: [{ dst: "::/0", mtu: 1500, advmss: 1440, priority: 1, table: 254, scope: 0 }],
};

/** Results, and the versions in which they are valid. */
const shapes: readonly (readonly [result: object, versions: readonly string[]])[] = [
  [{}, versions],
  [{ dns }, versions],
  [families, ["0.1.0", "0.2.0"]],
  [versioned, ["0.3.0", "0.3.1", "0.4.0"]],
  [lists, ["1.0.0", "1.1.0"]],
  [newest, ["1.1.0"]],
  [{ interfaces }, ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]],
  [{ routes: [{ dst: "0.0.0.0/0", priority: 1 }] }, ["1.1.0"]],
];

t.test("each version accepts only its own results", async (t) => {
  for (const [result, those] of shapes) {
    const accepting = versions.filter(
      (cniVersion) => faultsOfResult({ cniVersion, ...result }, cniVersion).length === 0,
    );
    t.same(accepting, those, JSON.stringify(result));
  }
});

t.test("a result is refused that has", async (t) => {
  const bad: Record<string, object> = {
    "another version": { cniVersion: "1.0.0" },
    "an unknown key": { custom: 1 },
    "an interface without a name": { interfaces: [{ mac: "02:00:00:00:00:01" }] },
    "an upper-case MAC": { interfaces: [{ name: "a", mac: "02:00:00:00:00:AA" }] },
    "an address without a length": { ips: [{ address: "10.0.0.1" }] },
    "an address on no interface": { ...lists, ips: [{ address: "10.0.0.1/8", interface: 2 }] },
    "an address on interface -1": { ...lists, ips: [{ address: "10.0.0.1/8", interface: -1 }] },
    "a route without a destination": { routes: [{ gw: "10.0.0.1" }] },
    "lists that are null": { ips: null },
  };
  for (const [what, fields] of Object.entries(bad))
    t.not(faultsOfResult({ cniVersion: "1.1.0", ...fields }, "1.1.0").length, 0, what);
  const four = { cniVersion: "0.4.0", ips: [{ version: "6", address: "10.0.0.1/8" }] };
  t.not(faultsOfResult(four, "0.4.0").length, 0, "an address of the other family");
});

t.test("an error with a code that Go cannot read, or without a message, is refused", async (t) => {
  const right = { cniVersion: "1.0.0", code: 7, msg: "a", details: "b" };
  t.same(faultsOf(error, right), []);
  for (const fields of [
    { code: -1 },
    { code: 1.5 },
    { code: "7" },
    { msg: "" },
    { msg: 1 },
    { cniVersion: "" },
    { x: 1 },
  ])
    t.not(faultsOf(error, { ...right, ...fields }).length, 0, JSON.stringify(fields));
});
