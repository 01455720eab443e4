import t from "tap";
import { addressOnly } from "../../../examples/address-only/plugin.ts";
import { answer } from "../../../lib/cni/answer.ts";
import { environment, Machine } from "../cni/machine.ts";

const lease = { cniVersion: "1.1.0", ips: [{ address: "10.0.0.7/24" }], routes: [{ dst: "0.0.0.0/0" }], dns: {} };
const netconf = { cniVersion: "1.1.0", name: "blue", type: "address-only", ipam: { type: "host-local" } };

function run(verb: string, stdin: object): Machine {
  const machine = new Machine(environment(verb), stdin);
  machine.install("/opt/cni/bin/host-local", (verb) => (verb === "ADD" ? { stdout: JSON.stringify(lease) } : {}));
  answer(addressOnly, machine);
  return machine;
}

t.test("ADD reports the IPAM plugin's address, and its routes unless routes is false", async (t) => {
  t.same(run("ADD", netconf).document, lease);
  t.same(run("ADD", { ...netconf, routes: false }).document, { cniVersion: "1.1.0", ips: lease.ips, dns: {} });
});

t.test("in a chain the address belongs to the pod's link", async (t) => {
  const prevResult = {
    cniVersion: "1.1.0",
    interfaces: [{ name: "br0" }, { name: "eth0", sandbox: "/run/netns/blue" }],
    ips: [{ address: "10.9.0.1/24", interface: 0 }],
    vendor: 1,
  };
  t.same(run("ADD", { ...netconf, prevResult }).document, {
    ...prevResult,
    ips: [...prevResult.ips, { address: "10.0.0.7/24", interface: 1 }],
    routes: lease.routes,
    dns: {},
  });
});

t.test("without an IPAM plugin there is nothing to reserve", async (t) => {
  t.match(run("ADD", { ...netconf, ipam: {} }).document, { code: 7, msg: /^ipam\.type: is missing/ });
});

t.test("the other verbs are the IPAM plugin's", async (t) => {
  for (const verb of ["DEL", "CHECK", "GC", "STATUS"]) {
    const machine = run(verb, { ...netconf, prevResult: lease });
    t.equal(machine.stdout, "");
    t.same(machine.runs, [`host-local ${verb}`]);
  }
});
