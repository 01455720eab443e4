import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import t, { type Test } from "tap";
import type { Netconf } from "../../../harness/attachment.ts";
import type { Ip } from "../../../harness/frames.ts";
import { type Guest, startGuest } from "../../../harness/guest.ts";
import { ip, ipShow, links } from "../../../harness/ip.ts";
import { within } from "../../../harness/namespaces.ts";
import { createPod, type Network, type NetworkOptions, type Pod } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { bindingOf } from "./binding.ts";

/**
 * Creates a pod on one network, adds its attachment, and starts its guest.
 *
 * The guest answers for the pod's addresses. A silent guest answers for none.
 */
async function running(
  t: Scope,
  attach: NetworkOptions,
  { netconf = {}, silent = false }: { netconf?: Netconf; silent?: boolean } = {},
) {
  const pod = await createPod(t);
  const network = await pod.attach(attach);
  const binding = await bindingOf(t, pod, { netconf });
  await binding.add();
  const mac = (await links(pod.namespace)).get("eth0")!.address;
  const ips = silent ? [] : network.addresses.map(withoutPrefix);
  const multiQueue = Number(netconf["queues"] ?? 1) > 1;
  const guest = await startGuest(t, { namespace: pod.namespace, tap: "tap0", mac, ips, multiQueue });
  return { pod, network, binding, guest };
}

/** Reports whether an unfragmented ping with `size` bytes of data from the node is answered. */
async function pings({ node }: Pod, target: Ip, size = 56): Promise<boolean> {
  const [file, ...args] = within(node, "ping", "-c1", "-W2", "-Mdo", `-s${size}`, target);
  return (await execa(file, args, { reject: false })).exitCode === 0;
}

/** Returns the target's MAC in the node's neighbor table, or undefined without an answer. */
async function owner({ node }: Pod, target: Ip): Promise<string | undefined> {
  const neighbors = await ipShow<{ dst: string; lladdr?: string }>(node, "neigh show");
  return neighbors.find(({ dst }) => dst === target)?.lladdr;
}

/** Checks that guest and network reach each other at every address. */
async function mutual(t: Test, pod: Pod, network: Network, guest: Guest): Promise<void> {
  for (const [position, gateway] of network.gateways.entries()) {
    const own = withoutPrefix(network.addresses[position]!);
    t.ok(await guest.ping(gateway), `guest to ${gateway}`);
    t.ok(await pings(pod, own), `node to ${own}`);
    t.equal(await owner(pod, own), guest.mac, "the node sees the guest's MAC");
  }
}

for (const kind of ["bridge", "ptp", "macvlan"] as const)
  for (const families of ["ipv4", "ipv6", "dual"] as const)
    t.test(`guest and network reach each other on a ${kind} network, ${families}`, async (t) => {
      const { pod, network, guest } = await running(t, { kind, families });
      t.equal(guest.mac, network.mac, "by the pod link's own MAC");
      await mutual(t, pod, network, guest);
      t.ok(guest.heard.length > 0);
    });

t.test("guest and network reach each other with the configured MAC", async (t) => {
  for (const kind of ["bridge", "macvlan"] as const) {
    const mac = "02:00:00:00:77:01";
    const { pod, network, guest } = await running(t, { kind, families: "dual" }, { netconf: { mac } });
    t.equal(guest.mac, mac);
    await mutual(t, pod, network, guest);
  }
});

t.test("a guest with several queues receives traffic on the first queue", async (t) => {
  const { pod, network, guest } = await running(t, { kind: "bridge" }, { netconf: { queues: 4 } });
  await mutual(t, pod, network, guest);
});

t.test("frames of the full MTU pass in both directions", async (t) => {
  for (const mtu of [1500, 9000]) {
    const { pod, network, guest } = await running(t, { kind: "bridge", families: "dual", mtu });
    const [four, six] = network.addresses.map(withoutPrefix) as [Ip, Ip];
    // The headers of IP and ICMP have 28 bytes for IPv4 and 48 bytes for IPv6.
    t.ok(await guest.ping(network.gateways[0]!, { size: mtu - 28 }), `IPv4, ${mtu}, out`);
    t.ok(await pings(pod, four, mtu - 28), `IPv4, ${mtu}, in`);
    t.ok(await guest.ping(network.gateways[1]!, { size: mtu - 48 }), `IPv6, ${mtu}, out`);
    t.ok(await pings(pod, six, mtu - 48), `IPv6, ${mtu}, in`);
  }
});

t.test("the pod never answers for the guest's addresses while the guest is silent or gone", async (t) => {
  const { pod, network, guest } = await running(t, { kind: "bridge", families: "dual" }, { silent: true });
  for (const tap of ["silent", "closed"]) {
    if (tap === "closed") await guest.stop();
    for (const target of network.addresses.map(withoutPrefix)) {
      t.notOk(await pings(pod, target), `${tap}: no reply from ${target}`);
      t.equal(await owner(pod, target), undefined, "and nobody has it");
    }
  }
  t.ok(
    guest.heard.some(({ message }) => message?.is === "arpRequest" && message.target === "10.1.0.2"),
    "the guest was asked",
  );
  t.ok(guest.heard.some(({ message }) => message?.is === "solicitation"));
});

t.test("the pod itself answers again after DEL", async (t) => {
  const { pod, network, guest, binding } = await running(t, { kind: "bridge", families: "dual" });
  await mutual(t, pod, network, guest);
  await guest.stop();
  await binding.del();
  await ip(pod.node, "neigh flush all");
  for (const target of network.addresses.map(withoutPrefix)) {
    t.ok(await pings(pod, target));
    t.equal(await owner(pod, target), network.mac);
  }
});

/** Starts a second guest on the node's own bridge, where it receives all flooded frames. */
async function neighbor(t: Scope, pod: Pod, ips: readonly Ip[]): Promise<Guest> {
  await ip(
    pod.node,
    "tuntap add spy mode tap user 107 group 107",
    "link set spy address 02:00:00:00:00:98 master cni1 up",
  );
  return await startGuest(t, { namespace: pod.node, tap: "spy", mac: "02:00:00:00:00:99", ips });
}

t.test("guest and network receive no frame from bridge, NIC or tap", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge", families: "dual" });
  const outside = await neighbor(t, pod, ["10.1.0.99"]);
  await (await bindingOf(t, pod)).add();
  const shown = await links(pod.namespace);
  const plumbing = ["k6t-eth0", "eth0-nic", "tap0"].map((name) => shown.get(name)!.address);
  const { address: mac } = shown.get("eth0")!;
  const first = outside.heard.length;
  const guest = await startGuest(t, { namespace: pod.namespace, tap: "tap0", mac, ips: ["10.1.0.2"] });
  // The kernel sends router solicitations and multicast reports within 4 s after a link comes up
  // (RFC 4861, 6.3.7; RFC 3810, 9.1).
  await sleep(4000);
  t.ok(await guest.ping("10.1.0.99"), "two guests reach each other");
  const sources = [guest.heard, outside.heard.slice(first)].map(
    (frames) => new Set(frames.map(({ source }) => source)),
  );
  t.ok(sources[0]!.has(outside.mac) && sources[1]!.has(guest.mac), "frames were seen on both sides");
  for (const own of plumbing)
    t.notOk(
      sources.some((seen) => seen.has(own)),
      `none of ${own}`,
    );
});

t.test("an isolated tap reaches the network, but no other isolated port of its bridge", async (t) => {
  const { pod, network, guest } = await running(t, { kind: "bridge" }, { netconf: { portIsolation: true } });
  await ip(pod.namespace, "tuntap add tap9 mode tap user 107 group 107", "link set tap9 master k6t-eth0 up");
  const ips = ["10.1.0.88"];
  const second = await startGuest(t, { namespace: pod.namespace, tap: "tap9", mac: "02:00:00:00:00:88", ips });
  t.ok(await guest.ping("10.1.0.88"), "a port that is not isolated");
  await execa("bridge", ["-n", pod.namespace.name, "link", "set", "dev", "tap9", "isolated", "on"]);
  t.notOk(await guest.ping("10.1.0.88", { timeout: 600 }));
  for (const one of [guest, second]) t.ok(await one.ping(network.gateways[0]!));
});

function withoutPrefix(address: string): Ip {
  return address.split("/")[0]!;
}
