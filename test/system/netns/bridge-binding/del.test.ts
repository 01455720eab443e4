import { readdir, readFile, rmdir, stat, writeFile } from "node:fs/promises";
import { execa } from "execa";
import t from "tap";
import { ip, links, readSysctl } from "../../../harness/ip.ts";
import { namespaceNamed, removeNamespaces } from "../../../harness/namespaces.ts";
import { callPlugin, callSuccessfully, debianPlugins } from "../../../harness/plugin.ts";
import { createPod, type NetworkOptions } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { bindingOf, blue } from "./binding.ts";
import { steady } from "./steady.ts";

const arpIgnore = "net/ipv4/conf/all/arp_ignore";
const done = { status: 0, stdout: "" };

/** Creates a pod on one network and adds its attachment. `before` is the pod's state before ADD. */
async function bound(t: Scope, attach: NetworkOptions = { kind: "bridge", families: "dual" }) {
  const pod = await createPod(t);
  const network = await pod.attach(attach);
  const before = await snapshot(pod.namespace);
  const binding = await bindingOf(t, pod);
  await binding.add();
  return { pod, network, before, binding };
}

t.test("DEL restores two networks of a pod one by one, in either order", async (t) => {
  for (const order of ["as added", "the other way round"]) {
    const pod = await createPod(t);
    await pod.attach({ kind: "bridge", families: "dual" });
    await pod.attach({ kind: "macvlan", ifname: blue, families: "dual" });
    const before = await snapshot(pod.namespace);
    const red = { args: { cni: { logicNetworkName: "red" } } };
    const first = await bindingOf(t, pod, { netconf: red });
    const second = await bindingOf(t, pod, { ifname: "net2", dataDir: first.dataDir });
    await first.add();
    const between = await steady(pod);
    await second.add();
    if (order === "as added") {
      await first.del();
      t.match(await second.check(), done, "the second is whole");
      t.equal(await readSysctl(pod.namespace, arpIgnore), "1", "and arp_ignore is as it needs it");
      await second.del();
    } else {
      await second.del();
      t.same(await settledDifferences(pod.namespace, between), []);
      t.match(await first.check(), done, "the first is whole");
      await first.del();
    }
    t.same(await settledDifferences(pod.namespace, before), [], order);
    t.same(await first.journal(), []);
  }
});

t.test("DEL restores the link that the network's own DEL needs afterwards", async (t) => {
  for (const kind of ["bridge", "ptp", "macvlan"] as const) {
    const pod = await createPod(t);
    const before = await snapshot(pod.namespace);
    const network = await pod.attach({ kind, families: "dual" });
    const { dataDir } = (network.netconf as unknown as { ipam: { dataDir: string } }).ipam;
    const leases = async () =>
      (await readdir(`${dataDir}/${network.name}`)).filter((name) => /^(10\.|fd00)/.test(name));
    t.equal((await leases()).length, 2);
    const binding = await bindingOf(t, pod);
    await binding.add();
    await binding.del();
    await network.detach();
    t.same(await leases(), [], "host-local has its addresses back");
    t.same(await settledDifferences(pod.namespace, before), [], kind);
  }
});

t.test("DEL of host-device after ours returns its device under its own name", async (t) => {
  const pod = await createPod(t);
  await ip(pod.node, "link add device0 type veth peer name far", "link set device0 address 02:00:00:00:00:55 mtu 1300");
  const call = pod.call("eth0");
  const netconf = { cniVersion: "1.0.0", name: "direct", type: "host-device", device: "device0" };
  const { result } = await callSuccessfully(`${debianPlugins}/host-device`, "ADD", call, netconf);
  const binding = await bindingOf(t, pod);
  await binding.add();
  await binding.del();
  await callSuccessfully(`${debianPlugins}/host-device`, "DEL", call, { ...netconf, prevResult: result });
  t.match((await links(pod.node)).get("device0"), { address: "02:00:00:00:00:55", mtu: 1300 });
});

t.test("DEL changes nothing in a later namespace with the same path and inode number", async (t) => {
  const { pod, binding } = await bound(t, {
    kind: "veth",
    addresses: ["10.0.0.2/24"],
    routes: ["default via 10.0.0.1"],
  });
  const original = (await links(pod.namespace)).get("eth0-nic")!;
  await removeNamespaces([pod.namespace]);
  const successor = namespaceNamed(pod.namespace.name);
  await execa("ip", ["netns", "add", successor.name]);
  t.teardown(() => execa("ip", ["netns", "del", successor.name]));
  await ip(pod.node, `link add far type veth peer name eth0 netns ${successor.name}`, "link set far up");
  await ip(successor, "link set eth0 up");
  t.equal((await links(successor)).get("eth0")!.ifindex, original.ifindex, "whose eth0 has the same index, too");
  const [name] = await binding.journal();
  const record = JSON.parse(await readFile(`${binding.dataDir}/${name}`, "utf8")) as { netns: { inode: number } };
  record.netns.inode = (await stat(successor.path)).ino;
  await writeFile(`${binding.dataDir}/${name}`, JSON.stringify(record));
  const before = await snapshot(successor);
  t.match(await binding.run("DEL"), done);
  t.same(await settledDifferences(successor, before), []);
  t.same(await binding.journal(), []);
});

t.test("DEL restores the pod with a configuration that has only a name and a type", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge" });
  const before = await snapshot(pod.namespace);
  const call = pod.call("net1");
  await callSuccessfully("bridge-binding", "ADD", call, { cniVersion: "1.0.0", name: "n", type: "bridge-binding" });
  t.teardown(() => rmdir("/run/bridge-binding").catch(() => undefined));
  t.ok(await readFile(`/run/bridge-binding/${pod.containerId}/net1.json`, "utf8"));
  t.match(await callPlugin("bridge-binding", "DEL", call, { name: "n", type: "bridge-binding" }), done);
  t.same(await settledDifferences(pod.namespace, before), []);
});

t.test("a second ADD is refused and changes nothing", async (t) => {
  const { pod, before, binding } = await bound(t);
  const between = await steady(pod);
  const again = await binding.run("ADD");
  t.match(again, { status: 1, error: { code: 102, msg: /net1: .*is attached already; call DEL first/ } });
  const other = await bindingOf(t, pod, { ifname: "net2" });
  t.match(await other.run("ADD"), {
    status: 1,
    error: { code: 102, msg: /eth0: is the placeholder of a link that is/ },
  });
  t.same(await settledDifferences(pod.namespace, between), []);
  t.match(await binding.check(), done);
  t.same(await other.journal(), []);
  await binding.del();
  t.same(await settledDifferences(pod.namespace, before), []);
});
