// Tests failures around our bindings with Multus: a network that fails, a binding that refuses, a
// lost cache, a deleted pod.
import { rm } from "node:fs/promises";
import t, { type Test } from "tap";
import { attachmentOf, collect, validAttachments } from "../../harness/attachment.ts";
import { links } from "../../harness/ip.ts";
import { missingPeers } from "../../harness/multus.ts";
import type { VmNetwork } from "../../harness/multus-kubevirt.ts";
import { definition } from "../../harness/multus-manifests.ts";
import { removeNamespaces } from "../../harness/namespaces.ts";
import { settledDifferences, snapshot } from "../../harness/snapshot.ts";
import { createLauncher, type Launcher, macvlanNetwork, makeUplink } from "./launcher.ts";

const skip = missingPeers("multus");
const done = { status: 0, stdout: "" };
const blue = "pod16477688c0e";
const red = "podb1f51a511f1";

const networks: readonly VmNetwork[] = [
  { name: "default", binding: "default/passt-binding" },
  { name: "blue", nad: "vms/net-a", binding: "default/bridge-binding" },
];

async function launcherOf(t: Test, more: readonly VmNetwork[] = [], nads = {}): Promise<Launcher> {
  const launcher = await createLauncher(t, {
    networks: [...networks, ...more],
    nads: { "vms/net-a": await macvlanNetwork(t), ...nads },
  });
  await makeUplink(launcher.pod);
  return launcher;
}

t.test("a failure of a later network reverts our bindings, and the next ADD succeeds", { skip }, async (t) => {
  const broken = { ...(await macvlanNetwork(t)), master: "nowhere" };
  const launcher = await launcherOf(t, [{ name: "red", nad: "vms/net-b" }], { "vms/net-b": broken });
  const { pod, api, multus, manifest, records } = launcher;
  const before = await snapshot(pod.namespace);
  t.match(await launcher.add(), { status: 1, error: { msg: /"net-b": Link not found$/ } });
  t.same(multus.order("host-local", "tuning"), [
    "ADD bridge eth0",
    "ADD passt-binding net1",
    `ADD macvlan ${blue}`,
    "ADD bridge-binding net3",
    `ADD macvlan ${red}`,
    `DEL macvlan ${red}`,
    "DEL bridge-binding net3",
    `DEL macvlan ${blue}`,
    "DEL passt-binding net1",
    "DEL bridge eth0",
  ]);
  t.same(await settledDifferences(pod.namespace, before), []);
  t.same(await records(), []);
  t.equal(multus.networkStatus(manifest), undefined, "and KubeVirt is told nothing");

  t.match(await launcher.del(), done, "which a runtime asks for, too, and all bear twice");
  api.put(definition("vms/net-b", await macvlanNetwork(t)));
  t.match(await launcher.add(), { status: 0 });
  t.match(multus.networkStatus(manifest), [{ interface: "eth0" }, { interface: blue }, { interface: red }]);
  t.match(await launcher.del(), done);
  t.same(await settledDifferences(pod.namespace, before), []);
});

t.test("the runtime gets the message of a binding whose ADD fails, and Multus calls its DEL", { skip }, async (t) => {
  const netconf = { cniVersion: "1.0.0", type: "bridge-binding", mtu: 9000 };
  const refused = { name: "red", nad: "vms/net-b", binding: "vms/jumbo" };
  const launcher = await launcherOf(t, [refused], { "vms/net-b": await macvlanNetwork(t), "vms/jumbo": netconf });
  const { pod, multus, records } = launcher;
  const before = await snapshot(pod.namespace);
  const { error } = await launcher.add();
  t.match(error!.msg, `error adding container to network "jumbo": mtu: 9000 is more than the 1500 of ${red}`);
  const calls = multus.calls().filter(({ plugin }) => plugin === "bridge-binding");
  t.match(calls, [
    { verb: "ADD", status: 0 },
    { verb: "ADD", status: 1, netconf: { name: "jumbo" }, answer: { code: 102 } },
    { verb: "DEL", status: 0, netconf: { name: "jumbo" } },
    { verb: "DEL", status: 0, netconf: { name: "bridge-binding" } },
  ]);
  t.ok(calls[2]!.links!.includes(red), "its network's link is untouched by then");
  t.same(await settledDifferences(pod.namespace, before), []);
  t.same(await records(), []);
});

t.test("DEL succeeds without a previous result after Multus has lost its cache", { skip }, async (t) => {
  const launcher = await launcherOf(t);
  const { pod, multus } = launcher;
  const before = await snapshot(pod.namespace);
  await launcher.add();
  const added = multus.calls().length;
  await rm(multus.state, { recursive: true });
  t.match(await launcher.del(), done);
  const [first] = multus.calls().slice(added);
  t.match(first, { plugin: "bridge-binding", verb: "DEL", status: 0 });
  t.notOk(first!.netconf && "prevResult" in first!.netconf);
  t.same(await settledDifferences(pod.namespace, before), []);
});

t.test("GC removes the records that are left after Multus has lost both cache and pod", { skip }, async (t) => {
  const launcher = await launcherOf(t);
  const { pod, api, manifest, multus, records, dataDirs } = launcher;
  await launcher.add();
  const added = multus.calls().length;
  await rm(multus.state, { recursive: true });
  api.remove(manifest);
  t.match(await launcher.del(), done);
  t.equal(multus.calls().length, added);
  t.ok((await links(pod.namespace)).has("k6t-16477688c0e"), "the pod is as ADD left it");
  t.equal((await records()).length, 2, "and is remembered by both");

  await removeNamespaces([pod.namespace]);
  for (const plugin of ["bridge-binding", "passt-binding"] as const) {
    const attachment = await attachmentOf(t, plugin, pod, { dataDir: dataDirs[plugin] });
    t.match(await collect(attachment, validAttachments()), done);
  }
  t.same(await records(), []);
});
