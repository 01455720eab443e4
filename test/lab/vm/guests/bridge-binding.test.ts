// Tests bridge-binding with two guests on one node: one with a single queue on its pod's primary
// network, one with four queues on a secondary network.
import t from "tap";
import { type Attachment, newDataDir } from "../../../harness/attachment.ts";
import { links, writeSysctls } from "../../../harness/ip.ts";
import { type Snapshot, settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { bindingOf, blue } from "../../../system/netns/bridge-binding/binding.ts";
import { takeLease, type VirtualMachine } from "../guest.ts";
import { assign, configure } from "./addressing.ts";
import { serveDhcp } from "./dhcp.ts";
import { launch } from "./launcher.ts";
import { createNeighbors, type Neighbor } from "./neighbors.ts";
import { startOutsider } from "./outsider.ts";
import { ping, pings, reaches } from "./pings.ts";

const mtu = 1400;
/**
 * The links that bridge-binding creates for each pod link, and the number of queues that libvirt
 * will request.
 */
const wirings = [
  { podLink: "eth0", bridge: "k6t-eth0", tap: "tap0", queues: 1, logicNetworkName: "default" },
  { podLink: blue, bridge: "k6t-16477688c0e", tap: "tap16477688c0e", queues: 4, logicNetworkName: "blue" },
] as const;
const [primary, secondary] = wirings;

t.test("bridge-binding connects two guests to their networks", async (t) => {
  const ifnames = [primary.podLink, secondary.podLink] as const;
  const { neighbors, node, gateways } = await createNeighbors(t, { ifnames, mtu });
  const ips = ["10.1.0.99", "fd00:1::99"] as const;
  const outsider = await startOutsider(t, { node, bridge: "cni1", ips });
  const dataDir = await newDataDir(t, "bridge-binding");
  const before: Snapshot[] = [];
  const bindings: Attachment[] = [];
  for (const [position, { queues, logicNetworkName }] of wirings.entries()) {
    const { pod } = neighbors[position]!;
    before.push(await snapshot(pod.namespace));
    const netconf = { cniVersion: "1.0.0", args: { cni: { logicNetworkName } }, ...(queues > 1 && { queues }) };
    bindings.push(await bindingOf(t, pod, { netconf, dataDir }));
  }
  const [one, four] = neighbors;
  const [bindingOfOne, bindingOfFour] = bindings as [Attachment, Attachment];

  const everyone = neighbors.flatMap(addressesOf);
  const [theirs, own] = [four, one].map(addressesOf) as [string[], string[]];
  const owners = [one.mac, one.mac, four.mac, four.mac].map((mac) => [mac]);
  const nobody = everyone.map(() => []);

  await t.test("each pod answers for its own addresses before ADD", async (t) => {
    t.same(await outsider.answerers(everyone), owners);
    for (const target of everyone) t.ok(await pings(node, target), target);
  });

  await t.test("no machine answers for the addresses after ADD and before the guest starts", async (t) => {
    for (const binding of bindings) t.equal((await binding.add()).stdout, '{"cniVersion":"1.0.0"}\n');
    t.same(await outsider.answerers(everyone), nobody);
  });

  const start = (position: number) =>
    launch(t, { namespace: neighbors[position]!.pod.namespace, ...wirings[position]! });
  const guests = await Promise.all([start(0), start(1)]);
  const [guest, other] = guests;
  for (const { startTime } of guests) t.comment(`start to shell: ${startTime} ms`);

  await t.test("a guest's probe for its pod's address gets no answer", async (t) => {
    const probe = (address: string): string => `arping -D -c 2 -I eth0 ${address}`;
    await guest.run("ip link set eth0 up");
    t.match(await guest.attempt(probe(own[0]!)), { status: 0 });
    t.match(await guest.attempt(probe(gateways[0])), { status: 1, output: "reply from 10.1.0.1" });
    await withoutArpIgnore(one, async () => {
      t.match(await guest.attempt(probe(own[0]!)), { status: 1 }, "but for the sysctl it would find its pod");
    });
  });

  for (const [position, { bridge: link }] of wirings.entries()) {
    const { pod, mac, ipv4 } = neighbors[position]!;
    serveDhcp(t, { namespace: pod.namespace, link, mac, address: ipv4, gateway: gateways[0], mtu });
  }
  const address = async (machine: VirtualMachine, { ipv6 }: Neighbor): Promise<void> => {
    await machine.run(takeLease);
    await configure(machine, ipv6, gateways[1]);
  };

  await t.test(
    "each guest gets its own pod's address, gateway and MTU by DHCP, although both servers hear it",
    async (t) => {
      for (const [position, machine] of guests.entries()) {
        const neighbor = neighbors[position]!;
        const { mac, ipv4 } = neighbor;
        await address(machine, neighbor);
        t.equal(await machine.run("cat /sys/class/net/eth0/address /sys/class/net/eth0/mtu"), `${mac}\n${mtu}\n`);
        t.match(await machine.run("ip -4 -o address show dev eth0"), ` inet ${ipv4} `);
        t.match(await machine.run("ip route"), `default via ${gateways[0]} dev eth0`);
        t.match(await machine.run("cat /lease"), new RegExp(`^mtu=${mtu}\n(.*\n)*serverid=169\\.254\\.75\\.10$`, "m"));
      }
    },
  );

  await t.test("a guest detects a duplicate IPv6 address", async (t) => {
    const message = new RegExp(`duplicate address ${gateways[1]} used by`);
    await t.rejects(assign(guest, `${gateways[1]}/64`), { message });
    await guest.run(`ip address del ${gateways[1]}/64 dev eth0`);
  });

  await t.test("a guest reaches its gateway and the other pod's guest with frames of the full MTU", async (t) => {
    for (const machine of guests) await reaches(t, machine, { targets: gateways, of: node, mtu });
    await reaches(t, guest, { targets: theirs, of: other, mtu });
    await reaches(t, other, { targets: own, of: guest, mtu });
  });

  await t.test("only the guests answer for their addresses, with the pod links' MAC addresses", async (t) => {
    t.same(await outsider.answerers(everyone), owners);
    for (const target of everyone) t.ok(await pings(node, target), target);
    const bridge = (await links(one.pod.namespace)).get(primary.bridge)!.address;
    await withoutArpIgnore(one, async () => {
      t.same(await outsider.answerers([own[0]!]), [[bridge, one.mac].sort()], "but for the sysctl the pod would, too");
    });
  });

  await t.test("the guest with four queues sends through each of them, and its tap has four", async (t) => {
    for (const cpu of [0, 1, 2, 3]) {
      const used = await transmitted(other, `taskset ${(1 << cpu).toString(16)} ${ping(gateways[0])}`);
      t.ok(used[cpu]! > 0, `queue ${cpu}: ${used}`);
    }
    t.match((await links(four.pod.namespace)).get(secondary.tap), {
      linkinfo: { info_data: { user: 107, group: 107, multi_queue: true, numqueues: 4, numdisabled: 0 } },
    });
  });

  await t.test("CHECK succeeds with running guests and does not interrupt them", async (t) => {
    for (const binding of bindings) t.match(await binding.check(), { status: 0, stdout: "" });
    await guest.run(ping(theirs[0]!));
  });

  await t.test("a guest that is restarted on the same tap is reachable again", async (t) => {
    await guest.stop();
    t.match(await bindingOfOne.check(), { status: 0, stdout: "" }, "CHECK is content without it");
    t.same(await outsider.answerers(own), [[], []]);
    const again = await start(0);
    await address(again, one);
    for (const target of own) {
      t.ok(await pings(node, target), target);
      t.match(await other.run(ping(target)), `bytes from ${target}`);
    }
    await again.stop();
  });

  await t.test("DEL after the guest's stop restores the pod, which answers for its addresses again", async (t) => {
    await bindingOfOne.del();
    t.same(await settledDifferences(one.pod.namespace, before[0]!), []);
    t.same(await outsider.answerers(own), [[one.mac], [one.mac]]);
    for (const target of own) {
      t.ok(await pings(node, target), target);
      t.match(await other.run(ping(target)), `bytes from ${target}`, "the other guest reaches it");
    }
  });

  await t.test("DEL while the guest runs restores the pod, which answers for its addresses again", async (t) => {
    await bindingOfFour.del();
    t.same(await settledDifferences(four.pod.namespace, before[1]!), []);
    t.match(await other.attempt(ping(gateways[0], { seconds: 1 })), { status: 1, output: "100% packet loss" });
    t.same(await outsider.answerers(theirs), [[four.mac], [four.mac]]);
    for (const target of theirs) t.ok(await pings(node, target), target);
    await other.stop();
    t.same(await settledDifferences(four.pod.namespace, before[1]!), [], "the guest's end changes nothing");
  });

  await t.test("DEL leaves no record, and the network's own DEL succeeds", async (t) => {
    for (const binding of bindings) t.same(await binding.journal(), []);
    for (const { pod, ifname, detach } of neighbors) {
      await detach();
      t.notOk((await links(pod.namespace)).has(ifname));
    }
  });
});

/**
 * Returns the number of interrupts of each of the guest's four transmit queues while `command` runs
 * in the guest. Each sent frame causes one interrupt.
 */
async function transmitted(machine: VirtualMachine, command: string): Promise<number[]> {
  const shown = await machine.run(`cat /proc/interrupts; ${command} >/dev/null; cat /proc/interrupts`);
  return [0, 1, 2, 3].map((queue) => {
    const lines = shown.split("\n").filter((line) => line.endsWith(`virtio0-output.${queue}`));
    const [first, second] = lines.map((line) =>
      [...line.matchAll(/\s(\d+)(?=\s)/g)].reduce((sum, [, count]) => sum + Number(count), 0),
    );
    return second! - first!;
  });
}

/**
 * Runs `work` while the pod answers ARP requests for addresses of all its links. bridge-binding
 * turns this off (arp_ignore): for the pod, and for the bridge of its primary network.
 */
async function withoutArpIgnore({ pod }: Neighbor, work: () => Promise<void>): Promise<void> {
  const [all, bridge] = ["all", primary.bridge].map((link) => `net/ipv4/conf/${link}/arp_ignore`) as [string, string];
  await writeSysctls(pod.namespace, { [all]: "0", [bridge]: "0" });
  await work();
  await writeSysctls(pod.namespace, { [all]: "1", [bridge]: "8" });
}

function addressesOf({ ipv4, ipv6 }: Neighbor): string[] {
  return [ipv4, ipv6].map((address) => address.split("/")[0]!);
}
