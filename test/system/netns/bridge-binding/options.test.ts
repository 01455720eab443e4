import { existsSync } from "node:fs";
import t from "tap";
import type { Netconf } from "../../../harness/attachment.ts";
import { startGuest } from "../../../harness/guest.ts";
import { addresses, links } from "../../../harness/ip.ts";
import { createPod, type NetworkOptions } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { bindingOf } from "./binding.ts";

const guest = { tap: "tap0", mac: "02:00:00:00:00:07", ips: [] };

/**
 * Creates a pod on one network and adds its attachment with these fields of the configuration.
 *
 * Default: a network of the bridge plugin.
 */
async function bound(t: Scope, netconf: Netconf, attach: NetworkOptions = { kind: "bridge" }) {
  const pod = await createPod(t);
  const network = await pod.attach(attach);
  const binding = await bindingOf(t, pod, { netconf });
  await binding.add();
  return { pod, network, binding, namespace: pod.namespace, shown: await links(pod.namespace) };
}

t.test("the tap has one queue by default and rejects IFF_MULTI_QUEUE", async (t) => {
  for (const netconf of [{}, { queues: 1 }]) {
    const { namespace, shown } = await bound(t, netconf);
    t.equal(shown.get("tap0")!.linkinfo!.info_data!["multi_queue"], false);
    await t.rejects(startGuest(t, { ...guest, namespace, multiQueue: true }), { code: "EINVAL" });
    await startGuest(t, { ...guest, namespace });
  }
});

t.test("the tap with several queues rejects an open without IFF_MULTI_QUEUE", async (t) => {
  for (const queues of [2, 256]) {
    const { namespace, shown } = await bound(t, { queues });
    t.equal(shown.get("tap0")!.linkinfo!.info_data!["multi_queue"], true);
    await t.rejects(startGuest(t, { ...guest, namespace }), { code: "EINVAL" });
    await startGuest(t, { ...guest, namespace, multiQueue: true });
    await startGuest(t, { ...guest, namespace, multiQueue: true });
  }
});

t.test("the tap opens only for user and group 107, without any capability", async (t) => {
  const { namespace } = await bound(t, {});
  for (const [uid, gid] of [
    [1000, 1000],
    [107, 1000],
    [1000, 107],
  ] as const)
    await t.rejects(startGuest(t, { ...guest, namespace, user: { uid, gid } }), { code: "EPERM" }, `${uid}:${gid}`);
  await startGuest(t, { ...guest, namespace });
});

t.test("the tap belongs to the configured owner and group, including root", async (t) => {
  const { namespace, shown } = await bound(t, { owner: 1234, group: 4321 });
  t.match(shown.get("tap0"), { linkinfo: { info_data: { user: 1234, group: 4321 } } });
  await t.rejects(startGuest(t, { ...guest, namespace }), { code: "EPERM" });
  await startGuest(t, { ...guest, namespace, user: { uid: 1234, gid: 4321 } });
  const { namespace: other } = await bound(t, { owner: 0, group: 0 });
  await t.rejects(startGuest(t, { ...guest, namespace: other }), { code: "EPERM" });
});

t.test("mtu sets the MTU of bridge, tap and placeholder, not of the NIC", async (t) => {
  for (const mtu of [1500, 1400, 1280, 1000, 68]) {
    const { shown } = await bound(t, { mtu });
    const found = ["k6t-eth0", "tap0", "eth0", "eth0-nic"].map((link) => shown.get(link)!.mtu);
    t.same(found, [mtu, mtu, mtu, 1500]);
  }
});

t.test("mac comes from runtimeConfig, args, CNI_ARGS, the configuration or the pod link, in this order", async (t) => {
  const pod = await createPod(t);
  const { mac } = await pod.attach({ kind: "bridge" });
  const [one, two, three, four] = [1, 2, 3, 4].map((n) => `02:00:00:00:77:0${n}`) as [string, string, string, string];
  const args = { cni: { logicNetworkName: "blue" } };
  const sources: [netconf: Netconf, cniArgs: string, expected: string][] = [
    [{ args }, "IgnoreUnknown=1", mac],
    [{ args, mac: one }, "IgnoreUnknown=1;K8S_POD_NAME=p", one],
    [{ args, mac: one }, `IgnoreUnknown=1;MAC=${two};K8S_POD_NAME=p`, two],
    [{ args: { cni: { ...args.cni, mac: three } }, mac: one }, `MAC=${two}`, three],
    [{ args: { cni: { mac: three } }, mac: one, runtimeConfig: { mac: four } }, `MAC=${two}`, four],
    [{ args, mac: "02-00-00-00-77-AB" }, "", "02:00:00:00:77:ab"],
  ];
  for (const [netconf, cniArgs, expected] of sources) {
    const binding = await bindingOf(t, pod, { netconf, call: { args: cniArgs } });
    await binding.add();
    const shown = await links(pod.namespace);
    t.equal(shown.get("eth0")!.address, expected, "the placeholder's, where KubeVirt looks");
    t.not(shown.get("eth0-nic")!.address, expected);
    await binding.del();
    t.equal((await links(pod.namespace)).get("eth0")!.address, mac, "the pod link's comes back");
  }
});

t.test("mac changes the MAC of a macvlan, which receives no other", async (t) => {
  const mac = "02:00:00:00:77:01";
  const { binding, network, namespace, shown } = await bound(t, { mac }, { kind: "macvlan" });
  t.same(
    ["eth0", "eth0-nic"].map((link) => shown.get(link)!.address),
    [mac, mac],
  );
  await binding.del();
  t.equal((await links(namespace)).get("eth0")!.address, network.mac);
});

t.test("portIsolation isolates the tap, not the NIC", async (t) => {
  for (const portIsolation of [true, false]) {
    const { shown } = await bound(t, { portIsolation });
    t.equal(shown.get("tap0")!.linkinfo!.info_slave_data!["isolated"], portIsolation);
    t.equal(shown.get("eth0-nic")!.linkinfo!.info_slave_data!["isolated"], false);
  }
});

t.test("bridgeAddress sets the bridge's address, or none", async (t) => {
  const cases = { none: [], auto: ["169.254.75.10/32"], "192.168.66.1/24": ["192.168.66.1/24"] };
  for (const [bridgeAddress, expected] of Object.entries(cases)) {
    const { namespace } = await bound(t, { bridgeAddress });
    t.same(await addresses(namespace, "k6t-eth0"), expected, bridgeAddress);
  }
});

t.test("bridgeAddress sets an IPv4 address in a pod with IPv6 only", async (t) => {
  const { namespace } = await bound(t, { bridgeAddress: "192.168.66.1/24" }, { kind: "bridge", families: "ipv6" });
  t.same(await addresses(namespace, "k6t-eth0"), ["192.168.66.1/24"]);
});

t.test("keepPodAddresses false leaves the placeholder without addresses", async (t) => {
  const { namespace, shown, network } = await bound(
    t,
    { keepPodAddresses: false },
    { kind: "bridge", families: "dual" },
  );
  t.same(await addresses(namespace, "eth0"), []);
  t.equal(shown.get("eth0")!.address, network.mac);
});

t.test("ADD refuses selinuxContext on a node without SELinux", { skip: selinux() }, async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge" });
  const before = await snapshot(pod.namespace);
  const selinuxContext = "system_u:system_r:container_t:s0";
  const binding = await bindingOf(t, pod, { netconf: { selinuxContext } });
  t.match(await binding.run("ADD"), { status: 1, error: { code: 102, msg: /SELinux|selinuxContext/ } });
  t.same(await settledDifferences(pod.namespace, before), []);
  t.same(await binding.journal(), []);
});

t.test("DEL restores the pod with every combination of options", async (t) => {
  const all: Netconf[] = [
    { mtu: 1400, queues: 4, owner: 1, group: 2, portIsolation: true },
    { mac: "02:00:00:00:77:01", bridgeAddress: "none", keepPodAddresses: false },
    { bridgeAddress: "10.1.0.2/24" },
  ];
  for (const netconf of all)
    for (const kind of ["bridge", "ptp", "macvlan"] as const) {
      const pod = await createPod(t);
      await pod.attach({ kind, families: "dual" });
      const before = await snapshot(pod.namespace);
      const binding = await bindingOf(t, pod, { netconf });
      await binding.add();
      t.equal((await binding.check()).stdout, "", "and CHECK is content before");
      await binding.del();
      t.same(await settledDifferences(pod.namespace, before), [], `${kind}: ${JSON.stringify(netconf)}`);
    }
});

function selinux(): string | false {
  return existsSync("/sys/fs/selinux/enforce") && "this node has SELinux";
}
