import t from "tap";
import type { Netconf } from "../../../harness/attachment.ts";
import { startGuest } from "../../../harness/guest.ts";
import { addresses, ip, links, readSysctl } from "../../../harness/ip.ts";
import { createPod, type NetworkOptions } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { differences, settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { bindingOf } from "./binding.ts";
import { asKubevirtDoes } from "./kubevirt.ts";

const arpIgnore = "net/ipv4/conf/all/arp_ignore";

/** Creates a pod on one network and prepares it for KubeVirt, which creates NIC and tap. */
async function prepared(
  t: Scope,
  netconf: Netconf = {},
  attach: NetworkOptions = { kind: "bridge", families: "dual" },
) {
  const pod = await createPod(t);
  const network = await pod.attach(attach);
  const before = await snapshot(pod.namespace);
  const binding = await bindingOf(t, pod, { netconf: { attachment: "managedTap", ...netconf } });
  const { stdout } = await binding.add();
  return { pod, namespace: pod.namespace, network, before, binding, stdout };
}

t.test("ADD with managedTap creates only the bridge and keeps the pod link", async (t) => {
  const { namespace, before, stdout } = await prepared(t);
  t.equal(stdout, '{"cniVersion":"1.1.0"}\n');
  const bridge = (await links(namespace)).get("k6t-eth0")!;
  t.match(bridge, { mtu: 1500, linkinfo: { info_kind: "bridge" } });
  t.ok(bridge.flags.includes("UP"));
  t.equal(await readSysctl(namespace, "net/ipv6/conf/k6t-eth0/disable_ipv6"), "1");
  t.same(await addresses(namespace, "k6t-eth0"), [], "KubeVirt gives it none either");
  t.equal(await readSysctl(namespace, arpIgnore), "1");
  const others = differences(before, await snapshot(namespace)).filter((line) => !/k6t-eth0|arp_ignore/.test(line));
  t.same(others, [], "nothing else has changed");
});

t.test("DEL with managedTap restores the pod before KubeVirt changes it", async (t) => {
  for (const kind of ["bridge", "ptp", "macvlan"] as const) {
    const { namespace, before, binding } = await prepared(t, {}, { kind, families: "dual" });
    t.match(await binding.check(), { status: 0, stdout: "" });
    await binding.del();
    t.same(await settledDifferences(namespace, before), [], kind);
    t.same(await binding.journal(), []);
  }
});

t.test("ADD with managedTap sets the bridge's address and MTU", async (t) => {
  const { namespace } = await prepared(t, { bridgeAddress: "192.168.66.1/24", mtu: 1400 });
  t.same(await addresses(namespace, "k6t-eth0"), ["192.168.66.1/24"]);
  t.equal((await links(namespace)).get("k6t-eth0")!.mtu, 1400);
});

t.test("ADD with managedTap in a chain reports the bridge and the unchanged pod link", async (t) => {
  const pod = await createPod(t);
  const { result: prevResult, mac } = await pod.attach({ kind: "bridge" });
  const netconf = { attachment: "managedTap", cniVersion: "1.0.0", prevResult };
  const { result } = await (await bindingOf(t, pod, { ifname: "eth0", netconf })).add();
  const bridge = (await links(pod.namespace)).get("k6t-eth0")!.address;
  const sandbox = pod.namespace.path;
  t.same(result!.interfaces, [...prevResult!.interfaces!, { name: "k6t-eth0", mac: bridge, sandbox }]);
  t.match(
    result!.interfaces!.find(({ name }) => name === "eth0"),
    { mac, sandbox },
  );
});

t.test("the guest reaches the network after KubeVirt's setup, and DEL removes only the bridge", async (t) => {
  const { namespace, network, binding } = await prepared(t);
  await asKubevirtDoes(namespace, network);
  await ip(namespace, "address add 169.254.75.10/32 dev k6t-eth0");
  const ips = network.addresses.map((address) => address.split("/")[0]!);
  const guest = await startGuest(t, { namespace, tap: "tap0", mac: network.mac, ips });
  for (const gateway of network.gateways) t.ok(await guest.ping(gateway), `guest to ${gateway}`);
  t.match(await binding.check(), { status: 0, stdout: "" }, "CHECK is content with what KubeVirt added");

  await binding.del();
  const left = await links(namespace);
  t.same([...left.keys()].sort(), ["eth0", "eth0-nic", "lo", "tap0"]);
  t.equal(left.get("eth0-nic")!.master, undefined);
  t.equal(left.get("eth0")!.address, network.mac);
  t.equal(await readSysctl(namespace, arpIgnore), "0");
  t.same(await binding.journal(), []);
});
