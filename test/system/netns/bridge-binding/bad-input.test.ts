import t, { type Test } from "tap";
import { type Netconf, newDataDir } from "../../../harness/attachment.ts";
import { badDataDirs } from "../../../harness/bad-data-dirs.ts";
import { ip } from "../../../harness/ip.ts";
import type { Answer } from "../../../harness/plugin.ts";
import { createPod, type NetworkOptions } from "../../../harness/pod.ts";
import { settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { bindingOf } from "./binding.ts";
import { missing } from "./features.ts";

/** A pod, a configuration, and the error that ADD must report for them. */
interface Refusal {
  readonly network?: NetworkOptions;
  /** `ip` commands to run in the pod before ADD. */
  readonly commands?: readonly string[];
  readonly netconf?: Netconf;
  /** Prepares the journal's directory before ADD. */
  readonly prepare?: (dataDir: string, containerId: string) => Promise<void>;
  readonly code: number;
  readonly msg: RegExp;
}

/** Checks that ADD reports the error, changes nothing in the pod, and writes no record. */
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
t.test("ADD refuses an invalid configuration and names the field", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge", families: "dual" });
  const before = await snapshot(pod.namespace);
  for (const [what, { netconf, code = 7, msg }] of Object.entries(fields)) {
    const binding = await bindingOf(t, pod, { netconf });
    t.match(await binding.run("ADD"), { status: 1, error: { cniVersion: "1.1.0", code, msg } }, what);
    t.same(await settledDifferences(pod.namespace, before), [], "the pod is as it was");
  }
});

t.test("ADD reports all faults of a configuration at once", async (t) => {
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
  "ADD refuses a name that no link has, and lists the links": {
    commands: link("other"),
    netconf: { interface: "nolink" },
    code: 102,
    msg: /^nolink: is not in the namespace, which has lo, eth0, far, other$/,
  },
  "ADD refuses a link that is not Ethernet": {
    netconf: { interface: "lo" },
    code: 102,
    msg: /^lo: is not an Ethernet link/,
  },
  "ADD refuses a link that is a port already": {
    commands: ["link add br0 type bridge", "link set eth0 master br0"],
    code: 102,
    msg: /^eth0: is already a port of br0/,
  },
  "ADD refuses a link that has another link on top": {
    commands: ["link add link eth0 name above type macvlan"],
    code: 102,
    msg: /^eth0: .*above/,
  },
  "ADD refuses a pod where a foreign tap has the tap's name": {
    commands: ["tuntap add tap0 mode tap"],
    code: 102,
    msg: /^tap0: .*name in use by a tap that is not/,
  },
  "ADD refuses a pod where a veth has the tap's name": {
    commands: link("tap0"),
    code: 102,
    msg: /^tap0: .*name in use by a veth that is not ours/,
  },
  "ADD refuses a pod where a foreign bridge has the bridge's name": {
    commands: ["link add k6t-eth0 type bridge"],
    code: 102,
    msg: /^k6t-eth0: .*name in use by a bridge that is not ours/,
  },
  "ADD refuses a pod where another link has the NIC's name": {
    commands: link("eth0-nic"),
    code: 102,
    msg: /^eth0-nic: .*name in use by a veth/,
  },
  "ADD refuses a pod where all names are in use, and reports each name": {
    commands: ["link add k6t-eth0 type bridge", "link add tap0 type veth peer name eth0-nic"],
    code: 102,
    msg: /(?=.*k6t-eth0: )(?=.*tap0: )(?=.*eth0-nic: )/,
  },
  "ADD refuses a pod where the tap's name is another link's altname": {
    commands: ["link property add dev lo altname tap0"],
    code: 102,
    msg: /^tap0: name in use: it is an alternative name of lo$/,
  },
  "ADD refuses an MTU above the pod link's": {
    netconf: { mtu: 1501 },
    code: 102,
    msg: /^mtu: 1501 is more than the 1500 of eth0/,
  },
  "ADD refuses an MTU below the minimum of IPv6": {
    netconf: { mtu: 1279 },
    code: 102,
    msg: /^mtu: 1279 is less than 1280.*fd00:1::2\/64/,
  },
  "ADD refuses a pod link with an MTU that no tap supports": {
    network: { kind: "veth", mtu: 65535, addresses: ["10.0.0.2/24"] },
    code: 102,
    msg: /(?=.*eth0)(?=.*65535)(?=.*65521)/,
  },
  "ADD refuses a route that uses a nexthop object": {
    commands: ["nexthop add id 7 via 10.1.0.1 dev eth0", "route add 10.7.0.0/16 nhid 7"],
    code: 102,
    msg: /eth0: .*nexthop/,
  },
};
t.test("ADD refuses a pod that it cannot attach, and names the cause", async (t) => {
  for (const [what, refusal] of Object.entries(pods)) await t.test(what, (t) => refuses(t, refusal));
});

t.test(
  "ADD refuses an ipvlan, because no network could reach a guest behind it",
  { skip: missing("ipvlan") },
  async (t) => {
    const commands = ["link set eth0 name parent", "link add link parent name eth0 type ipvlan", "link set eth0 up"];
    await refuses(t, {
      network: { kind: "veth" },
      commands: ["link set eth0 down", ...commands],
      code: 102,
      msg: /ipvlan/,
    });
  },
);

t.test("ADD refuses a dataDir", async (t) => {
  for (const [what, refusal] of Object.entries(badDataDirs)) await t.test(what, (t) => refuses(t, refusal));
});
