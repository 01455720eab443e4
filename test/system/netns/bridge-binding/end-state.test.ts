import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { startGuest } from "../../../harness/guest.ts";
import { addresses, ip, ipShow, links, readSysctl, type ShownAddress, writeSysctls } from "../../../harness/ip.ts";
import { createPod, type NetworkOptions, type Pod } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { snapshot } from "../../../harness/snapshot.ts";
import { bindingOf, blue } from "./binding.ts";
import { missing } from "./features.ts";
import { forwardingEntries } from "./forwarding.ts";

const arpIgnore = "net/ipv4/conf/all/arp_ignore";
const placeholderKind = missing("dummy") ? "bridge" : "dummy";

/** Creates a pod on one network and adds its attachment. */
async function boundPod(t: Scope, options: NetworkOptions, netconf: Readonly<Record<string, unknown>> = {}) {
  const pod = await createPod(t);
  const network = await pod.attach(options);
  const binding = await bindingOf(t, pod, { netconf });
  const original = (await links(pod.namespace)).get(network.ifname)!;
  const answer = await binding.add();
  return { pod, network, binding, original, answer, after: await links(pod.namespace) };
}

const noIpv6 = async (pod: Pod, link: string) => readSysctl(pod.namespace, `net/ipv6/conf/${link}/disable_ipv6`);

const families: Record<string, { ofPod: NetworkOptions; ofBridge: string[]; ignored: string }> = {
  IPv4: { ofPod: { kind: "bridge", families: "ipv4" }, ofBridge: ["169.254.75.10/32"], ignored: "1" },
  IPv6: { ofPod: { kind: "bridge", families: "ipv6" }, ofBridge: [], ignored: "0" },
  "dual-stack": { ofPod: { kind: "bridge", families: "dual" }, ofBridge: ["169.254.75.10/32"], ignored: "1" },
};
for (const [family, { ofPod, ofBridge, ignored }] of Object.entries(families)) {
  t.test(`ADD makes the pod link and a tap ports of a bridge, with ${family}`, async (t) => {
    const { pod, network, original, after } = await boundPod(t, ofPod);
    t.same([...after.keys()].sort(), ["eth0", "eth0-nic", "k6t-eth0", "lo", "tap0"]);
    const [bridge, nic, tap, placeholder] = ["k6t-eth0", "eth0-nic", "tap0", "eth0"].map((name) => after.get(name)!);

    t.match(bridge, { mtu: 1500, linkinfo: { info_kind: "bridge" } });
    t.equal(bridge!.master, undefined);
    t.match(nic, { mtu: 1500, master: "k6t-eth0", ifindex: original.ifindex, linkinfo: { info_kind: "veth" } });
    t.equal(nic!.linkinfo!.info_slave_data!["learning"], false, "the NIC does not learn");
    t.match(tap, {
      mtu: 1500,
      master: "k6t-eth0",
      linkinfo: { info_data: { type: "tap", persist: true, user: 107, group: 107, multi_queue: false, pi: false } },
    });
    t.equal(tap!.linkinfo!.info_slave_data!["learning"], true, "the tap does");
    t.match(placeholder, { mtu: 1500, address: network.mac, linkinfo: { info_kind: placeholderKind } });
    t.equal(placeholder!.master, undefined);

    const isUp = [bridge, nic, tap, placeholder].map((link) => link!.flags.includes("UP"));
    t.same(isUp, [true, true, true, false], "all are up but the placeholder");
    t.equal(nic!.address, bridge!.address, "the NIC has the bridge's MAC");
    t.equal(new Set([bridge, tap, placeholder].map((link) => link!.address)).size, 3, "nobody else has the guest's");
    for (const link of [bridge, tap])
      t.equal(Number.parseInt(link!.address.slice(0, 2), 16) & 3, 2, "a unicast MAC of the locally administered kind");

    t.same(await addresses(pod.namespace, "eth0"), network.addresses);
    t.same(await addresses(pod.namespace, "k6t-eth0"), ofBridge);
    for (const link of ["eth0-nic", "tap0"]) t.same(await addresses(pod.namespace, link), [], `${link} has none`);
    t.equal(await readSysctl(pod.namespace, arpIgnore), ignored);
    const routes = [...(await ipShow(pod.namespace, "route")), ...(await ipShow(pod.namespace, "-6 route"))];
    t.same(routes, [], "nothing is routed any more");
  });
}

t.test("bridge, NIC and tap have no link-local address while the guest runs", async (t) => {
  const { pod } = await boundPod(t, { kind: "bridge", families: "dual" });
  await startGuest(t, { namespace: pod.namespace, tap: "tap0", mac: "02:00:00:00:00:07", ips: [] });
  await sleep(2000);
  for (const link of ["k6t-eth0", "eth0-nic", "tap0"]) {
    t.equal(await noIpv6(pod, link), "1", link);
    const found = await ipShow<{ addr_info: ShownAddress[] }>(pod.namespace, `address show dev ${link}`);
    t.same(
      found.flatMap(({ addr_info }) => addr_info).filter(({ family }) => family === "inet6"),
      [],
    );
  }
  t.ok((await links(pod.namespace)).get("tap0")!.flags.includes("LOWER_UP"), "the tap has a carrier");
});

t.test("IPv6 addresses on the placeholder are never tentative, although it is down", async (t) => {
  const pod = await createPod(t, { duplicateAddressDetection: true });
  await pod.attach({ kind: "veth", addresses: ["fd00:9::2/64"] });
  await (await bindingOf(t, pod)).add();
  const [shown] = await ipShow<{ addr_info: ShownAddress[] }>(pod.namespace, "address show dev eth0");
  t.match(shown!.addr_info, [{ local: "fd00:9::2", prefixlen: 64 }]);
  t.notOk(shown!.addr_info.some(({ tentative, dadfailed }) => tentative || dadfailed));
});

t.test("ADD sets the pod link's MTU on bridge, tap and placeholder", async (t) => {
  for (const mtu of [1280, 1400, 9000]) {
    const { after } = await boundPod(t, { kind: "veth", mtu, addresses: ["10.0.0.2/24", "fd00:9::2/64"] });
    for (const link of ["k6t-eth0", "eth0-nic", "tap0", "eth0"]) t.equal(after.get(link)!.mtu, mtu, link);
  }
});

t.test("ADD accepts a pod link with an MTU that is too small for IPv6", async (t) => {
  const { after } = await boundPod(t, { kind: "veth", mtu: 1000, addresses: ["10.0.0.2/24"] });
  for (const link of ["k6t-eth0", "eth0-nic", "tap0", "eth0"]) t.equal(after.get(link)!.mtu, 1000, link);
});

t.test("ADD keeps a macvlan's MAC and adds a static forwarding entry for the tap", async (t) => {
  const { pod, network, after } = await boundPod(t, { kind: "macvlan" });
  t.match(after.get("eth0-nic"), { address: network.mac, linkinfo: { info_kind: "macvlan" } });
  t.equal(after.get("eth0")!.address, network.mac);
  t.not(after.get("k6t-eth0")!.address, network.mac);
  const stations = await forwardingEntries(pod, "k6t-eth0");
  t.ok(
    stations.some(({ mac, ifname, state }) => mac === network.mac && ifname === "tap0" && state === "static"),
    "a static entry for the guest",
    { stations },
  );
});

t.test("the bridge of the second network gets the next address", async (t) => {
  const { pod, binding } = await boundPod(t, { kind: "bridge" }, { args: undefined });
  await pod.attach({ kind: "bridge", ifname: blue });
  const second = await bindingOf(t, pod, { ifname: "net2", dataDir: binding.dataDir });
  await second.add();
  t.same(await addresses(pod.namespace, "k6t-eth0"), ["169.254.75.10/32"]);
  t.same(await addresses(pod.namespace, "k6t-16477688c0e"), ["169.254.75.11/32"]);
});

t.test("the placeholder gets no link-local addresses", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "veth", addresses: ["10.0.0.2/24"] });
  await snapshot(pod.namespace);
  t.match(await addresses(pod.namespace, "eth0"), ["10.0.0.2/24", /^fe80:/], "the kernel had made one");
  await (await bindingOf(t, pod)).add();
  t.same(await addresses(pod.namespace, "eth0"), ["10.0.0.2/24"]);
  t.equal(await noIpv6(pod, "eth0"), "1", "and makes none if somebody sets it up");
});

t.test("the placeholder keeps the pod's addresses in order, with their labels", async (t) => {
  const pod = await createPod(t);
  const assigned = ["10.0.0.9/24 label eth0:b", "10.0.0.5/24", "10.0.0.7/25", "192.0.2.1/32", "fd00:9::2/64"];
  await pod.attach({ kind: "veth", addresses: assigned });
  const shown = async () => {
    const [link] = await ipShow<{ addr_info: (ShownAddress & { label?: string; secondary?: boolean })[] }>(
      pod.namespace,
      "address show dev eth0",
    );
    return link!.addr_info
      .filter(({ scope }) => scope === "global")
      .map(({ local, prefixlen, label, secondary }) => ({ local, prefixlen, label, secondary }));
  };
  const before = await shown();
  t.equal(before.length, 5);
  await (await bindingOf(t, pod)).add();
  t.same(await shown(), before);
});

t.test("ADD and DEL keep a value of arp_ignore that is strict enough", async (t) => {
  for (const value of ["2", "8"]) {
    const pod = await createPod(t);
    await pod.attach({ kind: "bridge" });
    await writeSysctls(pod.namespace, { [arpIgnore]: value });
    const binding = await bindingOf(t, pod);
    await binding.add();
    t.equal(await readSysctl(pod.namespace, arpIgnore), value);
    await binding.del();
    t.equal(await readSysctl(pod.namespace, arpIgnore), value);
  }
});

t.test("ADD sets a pod link up that was down", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "veth" });
  await ip(pod.namespace, "link set eth0 down");
  await (await bindingOf(t, pod)).add();
  t.ok((await links(pod.namespace)).get("eth0-nic")!.flags.includes("UP"));
});

t.test("ADD creates a bridge as placeholder without dummy links, and logs a warning", async (t) => {
  const { answer, after } = await boundPod(t, { kind: "bridge" });
  if (missing("dummy"))
    t.match(answer.stderr, /^time=\S+ level=warn .* warning="eth0: .*no dummy links.*bridge without ports.*\n$/);
  else t.equal(answer.stderr, "", "nothing to say where there are dummies");
  t.equal([...after.values()].filter(({ master }) => master === "eth0").length, 0);
});
