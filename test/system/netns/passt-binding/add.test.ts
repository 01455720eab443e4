import t from "tap";
import type { Netconf } from "../../../harness/attachment.ts";
import { ip } from "../../../harness/ip.ts";
import { createPod } from "../../../harness/pod.ts";
import { differences, settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { closed, open, passtOf, type Rights, rightsIn, setRights } from "./rights.ts";

const done = { status: 0, stdout: "", stderr: "" };

t.test("ADD opens low ports and pings for group 107, and changes nothing else", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge", families: "dual" });
  await pod.attach({ kind: "macvlan", ifname: "net1", families: "dual" });
  const [before, node] = await Promise.all([snapshot(pod.namespace), snapshot(pod.node)]);
  const passt = await passtOf(t, pod);
  t.match(await passt.add(), { stderr: "" });
  t.same(differences(before, await snapshot(pod.namespace)).sort(), [
    "+ sysctl net/ipv4/ip_unprivileged_port_start 0",
    "+ sysctl net/ipv4/ping_group_range 107 107",
    "- sysctl net/ipv4/ip_unprivileged_port_start 1024",
    "- sysctl net/ipv4/ping_group_range 1 0",
  ]);
  t.same(await settledDifferences(pod.node, node), []);
  t.match(await passt.run("DEL"), done);
  t.same(await settledDifferences(pod.namespace, before), []);
  t.same(await passt.journal(), []);
});

/** The rights before ADD, the fields of the configuration, and the rights after ADD. */
const wishes: Record<string, { found?: Rights; netconf?: Netconf; made: Rights }> = {
  "a field that is null is one that is left out": {
    netconf: { unprivilegedPortStart: null, pingGroupRange: null, interface: null },
    made: open,
  },
  "the guest's lowest port is enough": { netconf: { unprivilegedPortStart: 80 }, made: ["80", "107 107"] },
  "the port that a new pod has anyway": { netconf: { unprivilegedPortStart: 1024 }, made: ["1024", "107 107"] },
  "a port that is higher than what is set": { netconf: { unprivilegedPortStart: 65_535 }, made: ["1024", "107 107"] },
  "a port that is lower by one": { netconf: { unprivilegedPortStart: 1023 }, made: ["1023", "107 107"] },
  "other groups": { netconf: { pingGroupRange: [0, 200] }, made: ["0", "0 200"] },
  "one group, root's": { netconf: { pingGroupRange: [0, 0] }, made: ["0", "0 0"] },
  "the greatest group that every kernel takes": {
    netconf: { pingGroupRange: [107, 2_147_483_647] },
    made: ["0", "107 2147483647"],
  },
  "ports that are all open already": { found: ["0", "1 0"], made: open },
  "a port start that is low enough already": {
    found: ["67", "1 0"],
    netconf: { unprivilegedPortStart: 80 },
    made: ["67", "107 107"],
  },
  "a port start that is not": {
    found: ["81", "1 0"],
    netconf: { unprivilegedPortStart: 80 },
    made: ["80", "107 107"],
  },
  "groups that are all open already, as containerd opens them": {
    found: ["1024", "0 2147483647"],
    made: ["0", "0 2147483647"],
  },
  "exactly what is asked for": { found: open, made: open },
  "a range around it": { found: ["1024", "100 110"], made: ["0", "100 110"] },
  "a range that ends with it": { found: ["1024", "100 107"], made: ["0", "100 107"] },
  "a range below it": { found: ["1024", "0 50"], made: ["0", "0 107"] },
  "a range above it": { found: ["1024", "200 300"], made: ["0", "107 300"] },
  "a range within it": {
    found: ["1024", "107 107"],
    netconf: { pingGroupRange: [100, 200] },
    made: ["0", "100 200"],
  },
  "a range that overlaps it": {
    found: ["1024", "150 300"],
    netconf: { pingGroupRange: [100, 200] },
    made: ["0", "100 300"],
  },
};
t.test("ADD only widens rights as configured, and DEL restores them", async (t) => {
  const pod = await createPod(t);
  for (const [what, { found = closed, netconf = {}, made }] of Object.entries(wishes)) {
    await setRights(pod.namespace, found);
    const passt = await passtOf(t, pod, { netconf });
    await passt.add();
    t.same(await rightsIn(pod.namespace), made, what);
    t.match(await passt.check(), done);
    await passt.del();
    t.same(await rightsIn(pod.namespace), found, `${what}: DEL`);
  }
});

t.test("ADD accepts large group IDs if the kernel supports them, and otherwise changes nothing", async (t) => {
  const pod = await createPod(t);
  const passt = await passtOf(t, pod, { netconf: { pingGroupRange: [107, 4_294_967_294] } });
  const answer = await passt.run("ADD");
  if (answer.status === 0) {
    t.same(await rightsIn(pod.namespace), ["0", "107 4294967294"]);
    await passt.del();
  } else t.match(answer, { error: { code: 5, msg: /ping_group_range: .*EINVAL/ } });
  t.same(await rightsIn(pod.namespace), closed);
  t.same(await passt.journal(), []);
});

t.test("ADD accepts an interface that exists, up or down", async (t) => {
  const pod = await createPod(t);
  await ip(pod.namespace, "link add with.a-dot type veth peer name peer0");
  const before = await snapshot(pod.namespace);
  for (const name of ["with.a-dot", "peer0", "lo"]) {
    const passt = await passtOf(t, pod, { netconf: { interface: name } });
    t.equal((await passt.add()).stdout, '{"cniVersion":"1.1.0"}\n', "and is not reported");
    t.match(await passt.check(), done);
    await passt.del();
  }
  t.same(await settledDifferences(pod.namespace, before), []);
});

t.test("ADD accepts any logicNetworkName, or none", async (t) => {
  const pod = await createPod(t);
  const all = [undefined, {}, { cni: null }, { cni: { logicNetworkName: "a".repeat(300) } }, { cni: { other: 7 } }];
  for (const args of all) {
    const passt = await passtOf(t, pod, { netconf: { args } });
    t.equal((await passt.add()).stdout, '{"cniVersion":"1.1.0"}\n');
    await passt.del();
  }
});
