import t, { type Test } from "tap";
import { type Netconf, newDataDir } from "../../../harness/attachment.ts";
import { badDataDirs } from "../../../harness/bad-data-dirs.ts";
import { ip } from "../../../harness/ip.ts";
import type { Answer } from "../../../harness/plugin.ts";
import { createPod, type NetworkOptions } from "../../../harness/pod.ts";
import { settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { bindingOf } from "./binding.ts";
import { missing } from "./features.ts";

/** A pod, and what ADD of it has to answer. */
interface Refusal {
  readonly network?: NetworkOptions;
  /** What is done in the pod before. */
  readonly commands?: readonly string[];
  readonly netconf?: Netconf;
  /** What is done to the place of the journal before. */
  readonly prepare?: (dataDir: string, containerId: string) => Promise<void>;
  readonly code: number;
  readonly msg: RegExp;
}

/**
 * Adds, and sees that the answer is right, the pod as it was, and nothing recorded but what was
 * there before.
 */
async function refuses(
  t: Test,
  { network, commands = [], netconf = {}, prepare, code, msg }: Refusal,
): Promise<Answer> {
  const pod = await createPod(t);
  await pod.attach(network ?? { kind: "bridge", families: "dual" });
  await ip(pod.namespace, ...commands);
  const before = await snapshot(pod.namespace);
  const dataDir = await newDataDir(t, "bridge-binding");
  await prepare?.(dataDir, pod.containerId);
  const binding = await bindingOf(t, pod, { dataDir, netconf });
  const recorded = prepare ? undefined : await binding.journal();
  const answer = await binding.run("ADD");
  t.match(answer, { status: 1, error: { cniVersion: "1.1.0", code, msg } });
  t.same(await settledDifferences(pod.namespace, before), [], "the pod is as it was");
  if (recorded) t.same(await binding.journal(), recorded, "nothing is recorded");
  return answer;
}

const fields: Record<string, { netconf: Netconf; code?: number; msg: RegExp }> = {
  "too many queues": { netconf: { queues: 300 }, msg: /^queues: must be at most 256, not 300$/ },
  "no queues": { netconf: { queues: 0 }, msg: /^queues: must be at least 1, not 0$/ },
  "half a queue": { netconf: { queues: 1.5 }, msg: /^queues: must be a whole number, not 1\.5$/ },
  "queues in words": { netconf: { queues: "4" }, msg: /^queues: must be a whole number, not "4"$/ },
  "an unknown field that is nearly one": { netconf: { vln: 1 }, msg: /unknown field "vln", did you mean "vlan"\?/ },
  "a field in another case": { netconf: { Owner: 1 }, msg: /unknown field "Owner", it is spelled "owner"/ },
  "a field that is like none": { netconf: { zzzzzzzz: 1 }, msg: /unknown field "zzzzzzzz"$/ },
  "a negative owner": { netconf: { owner: -1 }, msg: /^owner: must be at least 0, not -1$/ },
  "a group beyond all": { netconf: { group: 0xffffffff }, msg: /^group: must be at most 4294967294, not 4294967295$/ },
  "a tiny MTU": { netconf: { mtu: 67 }, msg: /^mtu: must be at least 68 bytes, not 67$/ },
  "a MAC that is none": { netconf: { mac: "02:00" }, msg: /^mac: must be a unicast MAC address .*, not "02:00"$/ },
  "a multicast MAC": { netconf: { mac: "01:00:00:00:00:01" }, msg: /^mac: must be a unicast MAC address/ },
  "a MAC of zeros": { netconf: { mac: "00:00:00:00:00:00" }, msg: /^mac: must be a unicast MAC address/ },
  "a MAC in runtimeConfig that is none": {
    netconf: { runtimeConfig: { mac: "x" } },
    msg: /^runtimeConfig\.mac: must be a unicast MAC address/,
  },
  "a VLAN beyond all": { netconf: { vlan: 4095 }, msg: /^vlan: must be at most 4094, not 4095$/ },
  "VLAN 0": { netconf: { vlan: 0 }, msg: /^vlan: must be at least 1, not 0$/ },
  "a trunk that is a number": { netconf: { vlanTrunk: 7 }, msg: /^vlanTrunk: must be a list, not 7$/ },
  "a trunk with a VLAN beyond all": { netconf: { vlanTrunk: [{ id: 7 }, { id: 5000 }] }, msg: /vlanTrunk\[1\].*4094/ },
  "a trunk upside down": { netconf: { vlanTrunk: [{ minID: 9, maxID: 8 }] }, msg: /vlanTrunk\[0\]: minID 9 is above/ },
  "a VLAN with and without a tag": { netconf: { vlan: 7, vlanTrunk: [{ minID: 5, maxID: 9 }] }, msg: /vlanTrunk: .*7/ },
  "an attachment of another kind": {
    netconf: { attachment: "macvtap" },
    msg: /^attachment: must be "tap" or "managedTap", not "macvtap"$/,
  },
  "a MAC with managedTap": {
    netconf: { attachment: "managedTap", mac: "02:00:00:00:00:01" },
    msg: /^mac: .*managedTap/,
  },
  "a bridge's address without a length": { netconf: { bridgeAddress: "10.0.0.1" }, msg: /^bridgeAddress: must be/ },
  "an IPv6 address for a bridge without IPv6": {
    netconf: { bridgeAddress: "fd00::1/64" },
    msg: /^bridgeAddress: .*IPv4/,
  },
  "a link's name with a slash": { netconf: { interface: "a/b" }, msg: /^interface: must be a link's name/ },
  "a link's name of 16 bytes": {
    netconf: { primaryInterface: "a".repeat(16) },
    msg: /^primaryInterface: must be a link's/,
  },
  "a dataDir that is relative": {
    netconf: { dataDir: "run/x" },
    msg: /^dataDir: must be \/run\/bridge-binding or a directory below it/,
  },
  "a dataDir that goes up": {
    netconf: { dataDir: "/run/../etc" },
    msg: /^dataDir: must be \/run\/bridge-binding or a directory below it/,
  },
  "a network without a name": {
    netconf: { args: { cni: { logicNetworkName: 7 } } },
    msg: /^args\.cni\.logicNetworkName: must be .*, not 7$/,
  },
  "a prevResult that is none": { netconf: { prevResult: "none" }, msg: /^prevResult: must be an object/ },
  "an address manager": {
    netconf: { ipam: { type: "host-local" } },
    code: 2,
    msg: /^ipam\.type: host-local is not used/,
  },
};
t.test("a configuration is refused, and the field named:", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge", families: "dual" });
  const before = await snapshot(pod.namespace);
  for (const [what, { netconf, code = 7, msg }] of Object.entries(fields)) {
    const binding = await bindingOf(t, pod, { netconf });
    t.match(await binding.run("ADD"), { status: 1, error: { cniVersion: "1.1.0", code, msg } }, what);
    t.same(await settledDifferences(pod.namespace, before), [], "the pod is as it was");
  }
});

t.test("all that is wrong with a configuration is said at once", async (t) => {
  const netconf = { queues: 300, vln: 1, mac: "x", vlanTrunk: [{ id: 0 }, {}], dataDir: "x", portIsolation: "yes" };
  const { error } = await refuses(t, { netconf, code: 7, msg: /queues: must be at most 256/ });
  for (const words of [
    'unknown field "vln"',
    "mac: must",
    "vlanTrunk[0]",
    "vlanTrunk[1]",
    "dataDir: must",
    "portIsolation: must",
  ])
    t.ok(error!.msg.includes(words), words);
});

const link = (name: string) => [`link add ${name} type veth peer name far`];
const pods: Record<string, Refusal> = {
  "no link of that name, but others": {
    commands: link("other"),
    netconf: { interface: "nolink" },
    code: 102,
    msg: /^nolink: is not in the namespace, which has lo, eth0, far, other$/,
  },
  "a link that is not Ethernet": { netconf: { interface: "lo" }, code: 102, msg: /^lo: is not an Ethernet link/ },
  "a link that is a port already": {
    commands: ["link add br0 type bridge", "link set eth0 master br0"],
    code: 102,
    msg: /^eth0: is already a port of br0/,
  },
  "a link that stands under another": {
    commands: ["link add link eth0 name above type macvlan"],
    code: 102,
    msg: /^eth0: .*above/,
  },
  "a tap of that name": {
    commands: ["tuntap add tap0 mode tap"],
    code: 102,
    msg: /^tap0: .*name in use by a tap that is not/,
  },
  "a veth in the tap's place": {
    commands: link("tap0"),
    code: 102,
    msg: /^tap0: .*name in use by a veth that is not ours/,
  },
  "a bridge of that name": {
    commands: ["link add k6t-eth0 type bridge"],
    code: 102,
    msg: /^k6t-eth0: .*name in use by a bridge that is not ours/,
  },
  "a link in the NIC's place": { commands: link("eth0-nic"), code: 102, msg: /^eth0-nic: .*name in use by a veth/ },
  "all names taken": {
    commands: ["link add k6t-eth0 type bridge", "link add tap0 type veth peer name eth0-nic"],
    code: 102,
    msg: /(?=.*k6t-eth0: )(?=.*tap0: )(?=.*eth0-nic: )/,
  },
  "a name of ours that is another's alternative one": {
    commands: ["link property add dev lo altname tap0"],
    code: 100,
    msg: /tap0: /,
  },
  "an MTU above the pod link's": { netconf: { mtu: 1501 }, code: 102, msg: /^mtu: 1501 is more than the 1500 of eth0/ },
  "an MTU below IPv6's least": {
    netconf: { mtu: 1279 },
    code: 102,
    msg: /^mtu: 1279 is less than 1280.*fd00:1::2\/64/,
  },
  "an MTU that no tap has": {
    network: { kind: "veth", mtu: 65535, addresses: ["10.0.0.2/24"] },
    code: 102,
    msg: /(?=.*eth0)(?=.*65535)(?=.*65521)/,
  },
  "a route by a nexthop that is an object of its own, which cannot be given back": {
    commands: ["nexthop add id 7 via 10.1.0.1 dev eth0", "route add 10.7.0.0/16 nhid 7"],
    code: 102,
    msg: /eth0: .*nexthop/,
  },
};
t.test("a pod is refused, and what was found there named:", async (t) => {
  for (const [what, refusal] of Object.entries(pods)) await t.test(what, (t) => refuses(t, refusal));
});

t.test("an ipvlan is refused: a guest behind it could not be reached", { skip: missing("ipvlan") }, async (t) => {
  const commands = ["link set eth0 name parent", "link add link parent name eth0 type ipvlan", "link set eth0 up"];
  await refuses(t, {
    network: { kind: "veth" },
    commands: ["link set eth0 down", ...commands],
    code: 102,
    msg: /ipvlan/,
  });
});

t.test("a dataDir is refused:", async (t) => {
  for (const [what, refusal] of Object.entries(badDataDirs)) await t.test(what, (t) => refuses(t, refusal));
});
