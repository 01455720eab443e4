import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { startGuest } from "../../../harness/guest.ts";
import { addresses, ip, links, readSysctl, writeSysctls } from "../../../harness/ip.ts";
import { createPod, type NetworkOptions } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { differences, type Snapshot, settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { bindingOf } from "./binding.ts";

const arpIgnore = "net/ipv4/conf/all/arp_ignore";

/** Creates a pod on one network and adds its attachment. `before` is the pod's state before ADD. */
async function bound(t: Scope, attach: NetworkOptions = { kind: "bridge", families: "dual" }) {
  const pod = await createPod(t);
  const network = await pod.attach(attach);
  const before = await snapshot(pod.namespace);
  const binding = await bindingOf(t, pod);
  await binding.add();
  return { pod, network, before, binding };
}

const breakages: Record<string, string[]> = {
  "DEL restores the pod after the tap is deleted": ["link del tap0"],
  "DEL restores the pod after the bridge is deleted": ["link del k6t-eth0"],
  "DEL restores the pod after the placeholder is deleted": ["link del eth0"],
  "DEL restores the pod after all created links are deleted": ["link del tap0", "link del k6t-eth0", "link del eth0"],
  "DEL restores the pod after the NIC leaves the bridge": ["link set eth0-nic nomaster"],
  "DEL restores the pod after the NIC goes down and changes its MAC": [
    "link set eth0-nic down address 02:00:00:00:00:99",
  ],
  "DEL restores the pod after the NIC takes its old name back": [
    "link del eth0",
    "link set eth0-nic down",
    "link set eth0-nic name eth0",
  ],
  "DEL restores the pod after the NIC gets its address back": ["address add 10.1.0.2/24 broadcast + dev eth0-nic"],
  "DEL restores the pod after the bridge gains an address and a port": [
    "address add 10.9.9.9/24 dev k6t-eth0",
    "link add extra type veth peer name extra2",
    "link set extra master k6t-eth0",
    "link del extra",
  ],
};
t.test("DEL restores a pod that another process changed", async (t) => {
  for (const [what, commands] of Object.entries(breakages))
    await t.test(what, async (t) => {
      const { pod, before, binding } = await bound(t);
      await ip(pod.namespace, ...commands);
      await binding.del();
      t.same(await settledDifferences(pod.namespace, before), []);
      t.same(await binding.journal(), []);
    });
});

t.test("DEL removes all that ADD created after the pod link is deleted", async (t) => {
  const { pod, before, binding, network } = await bound(t, {
    kind: "veth",
    addresses: ["10.0.0.2/24", "fd00:9::2/64"],
  });
  await network.detach();
  await binding.del();
  t.same([...(await links(pod.namespace)).keys()], ["lo"]);
  t.equal(await readSysctl(pod.namespace, arpIgnore), "0");
  t.same(await binding.journal(), []);
  t.ok(before.length > 0);
});

t.test("DEL restores the pod while a guest has the tap open", async (t) => {
  const { pod, before, binding } = await bound(t);
  await startGuest(t, { namespace: pod.namespace, tap: "tap0", mac: "02:00:00:00:00:07", ips: [] });
  await binding.del();
  t.same(await settledDifferences(pod.namespace, before), []);
});

t.test("DEL keeps a sysctl that another process set after ADD", async (t) => {
  const { pod, binding } = await bound(t);
  await writeSysctls(pod.namespace, { [arpIgnore]: "2" });
  await binding.del();
  t.equal(await readSysctl(pod.namespace, arpIgnore), "2");
});

t.test("DEL fails while a foreign link has the pod link's name, and restores the pod afterwards", async (t) => {
  const { pod, before, binding } = await bound(t);
  await ip(pod.namespace, "link del eth0", "link add eth0 type veth peer name foreign");
  const answer = await binding.run("DEL");
  t.match(answer, { status: 1, stdout: /eth0-nic: .*EEXIST/ });
  t.notMatch(answer.stdout, /not found|no such file or directory/i, "containerd takes these words for success");
  const foreign = (await links(pod.namespace)).get("eth0")!;
  t.match(foreign, { linkinfo: { info_kind: "veth" } }, "what is not ours stays");
  t.notOk(foreign.flags.includes("UP"), "as it was");
  t.same(await addresses(pod.namespace, "eth0"), [], "without our addresses");
  t.not((await binding.journal()).length, 0, "what is left is on record");
  await ip(pod.namespace, "link del eth0");
  await binding.del();
  t.same(await settledDifferences(pod.namespace, before), []);
  t.same(await binding.journal(), []);
});

t.test("DEL keeps a link that has one of our names without our mark", async (t) => {
  const { pod, binding } = await bound(t);
  await ip(pod.namespace, "link del tap0", "link add tap0 type veth peer name far");
  await binding.del();
  t.ok((await links(pod.namespace)).has("tap0"));
  await ip(pod.namespace, "link del tap0");
});

t.test("lifetimes of addresses and routes keep running while the pod link is attached", async (t) => {
  const pod = await createPod(t);
  const assigned = ["10.0.0.2/24 valid_lft 500 preferred_lft 400", "fd00:9::2/64 valid_lft 500 preferred_lft 400"];
  await pod.attach({ kind: "veth" });
  await ip(pod.namespace, ...assigned.map((address) => `address add ${address} dev eth0`));
  await snapshot(pod.namespace);
  await ip(pod.namespace, "route add fd07::/64 via fd00:9::1 dev eth0 expires 500");
  const before = await snapshot(pod.namespace);
  const binding = await bindingOf(t, pod);
  await binding.add();
  await sleep(6000);
  const ofEth0 = (lines: Snapshot) => lines.filter((line) => /^address eth0 (10|fd00)/.test(line));
  t.equal(ofEth0(before).length, 2);
  t.same(differences(ofEth0(before), ofEth0(await snapshot(pod.namespace))), [], "on the placeholder");
  await binding.del();
  t.same(await settledDifferences(pod.namespace, before), [], "on the pod link");
});
