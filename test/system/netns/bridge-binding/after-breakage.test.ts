import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { startGuest } from "../../../harness/guest.ts";
import { addresses, ip, links, readSysctl, writeSysctls } from "../../../harness/ip.ts";
import { createPod, type NetworkOptions } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { differences, type Snapshot, settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { bindingOf } from "./binding.ts";

const arpIgnore = "net/ipv4/conf/all/arp_ignore";

/** A pod on one network, bound; `before` is what it was. */
async function bound(t: Scope, attach: NetworkOptions = { kind: "bridge", families: "dual" }) {
  const pod = await createPod(t);
  const network = await pod.attach(attach);
  const before = await snapshot(pod.namespace);
  const binding = await bindingOf(t, pod);
  await binding.add();
  return { pod, network, before, binding };
}

const breakages: Record<string, string[]> = {
  "the tap is gone": ["link del tap0"],
  "the bridge is gone": ["link del k6t-eth0"],
  "the placeholder is gone": ["link del eth0"],
  "all that was made is gone": ["link del tap0", "link del k6t-eth0", "link del eth0"],
  "the NIC is no port any more": ["link set eth0-nic nomaster"],
  "the NIC is down, with another MAC": ["link set eth0-nic down address 02:00:00:00:00:99"],
  "the NIC has its old name again": ["link del eth0", "link set eth0-nic down", "link set eth0-nic name eth0"],
  "somebody gave the NIC its address back": ["address add 10.1.0.2/24 broadcast + dev eth0-nic"],
  "the bridge has an address and a port more": [
    "address add 10.9.9.9/24 dev k6t-eth0",
    "link add extra type veth peer name extra2",
    "link set extra master k6t-eth0",
    "link del extra",
  ],
};
t.test("DEL restores a pod in which somebody else has been:", async (t) => {
  for (const [what, commands] of Object.entries(breakages))
    await t.test(what, async (t) => {
      const { pod, before, binding } = await bound(t);
      await ip(pod.namespace, ...commands);
      await binding.del();
      t.same(await settledDifferences(pod.namespace, before), []);
      t.same(await binding.journal(), []);
    });
});

t.test("DEL succeeds, and removes what was made, after the pod's own link has gone", async (t) => {
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

t.test("DEL does not wait for a guest that has the tap open", async (t) => {
  const { pod, before, binding } = await bound(t);
  await startGuest(t, { namespace: pod.namespace, tap: "tap0", mac: "02:00:00:00:00:07", ips: [] });
  await binding.del();
  t.same(await settledDifferences(pod.namespace, before), []);
});

t.test("DEL leaves a sysctl alone that somebody else has set since", async (t) => {
  const { pod, binding } = await bound(t);
  await writeSysctls(pod.namespace, { [arpIgnore]: "2" });
  await binding.del();
  t.equal(await readSysctl(pod.namespace, arpIgnore), "2");
});

t.test("DEL fails, and says why, while a foreign link has the pod link's name, and succeeds after", async (t) => {
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

t.test("DEL never removes a link that has one of our names and not our mark", async (t) => {
  const { pod, binding } = await bound(t);
  await ip(pod.namespace, "link del tap0", "link add tap0 type veth peer name far");
  await binding.del();
  t.ok((await links(pod.namespace)).has("tap0"));
  await ip(pod.namespace, "link del tap0");
});

t.test("lifetimes run on while the pod link is bound", async (t) => {
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
