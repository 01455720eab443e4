import t from "tap";
import { nearest } from "../../../lib/cni/spelling.ts";

const known = ["mtu", "vlan", "vlanTrunk", "portIsolation", "mac", "queues"];

t.test("nearest returns the known word for a misspelled one", async (t) => {
  for (const [written, meant] of [
    ["MTU", "mtu"],
    ["vln", "vlan"],
    ["vlna", "vlan"],
    ["valn", "vlan"],
    ["portisolation", "portIsolation"],
    ["portsIsolated", "portIsolation"],
    ["quues", "queues"],
  ] as const)
    t.equal(nearest(written, known), meant, written);
});

t.test("nearest prefers a word that differs only in case", async (t) => {
  t.equal(nearest("MAC", ["mbc", "mac"]), "mac");
  t.equal(nearest("vLan", ["vlan1", "vlan"]), "vlan");
});

t.test("nearest returns undefined for a word that is like no known one", async (t) => {
  for (const written of ["", "isGateway", "x", "bridge", "macspoofchk", "x".repeat(100_000)])
    t.equal(nearest(written, known), undefined, written.slice(0, 20));
});
