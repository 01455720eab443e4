// Tests a guest behind a bridge that filters VLANs.
//
// It runs only in the machine (inside.test.ts), because not every kernel has such bridges.
import { execa } from "execa";
import t from "tap";
import { ip } from "../../../harness/ip.ts";
import type { Namespace } from "../../../harness/namespaces.ts";
import { createPod } from "../../../harness/pod.ts";
import { settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { bindingOf } from "../../../system/netns/bridge-binding/binding.ts";
import { launch } from "./launcher.ts";
import { ping, pings } from "./pings.ts";

/**
 * The guest's untagged VLAN, its tagged ones, and one that it must not reach. "VLAN 0" stands for
 * the network's own untagged frames.
 */
const untagged = 100;
const tagged = [7, 250];
const foreign = 8;
const vlans = [untagged, ...tagged, foreign];

/** The network's address in a VLAN, and the guest's. */
const outside = (vlan: number): string => `10.${vlan}.0.1`;
const inside = (vlan: number): string => `10.${vlan}.0.2`;

t.test("a guest with vlan and vlanTrunk reaches only these VLANs", async (t) => {
  const pod = await createPod(t);
  const { namespace, node } = pod;
  await pod.attach({ kind: "veth" });
  await ip(
    node,
    `address add ${outside(0)}/24 dev veth1`,
    ...vlans.flatMap((vlan) => [
      `link add v${vlan} link veth1 type vlan id ${vlan}`,
      `address add ${outside(vlan)}/24 dev v${vlan}`,
      `link set v${vlan} up`,
    ]),
  );
  const before = await snapshot(namespace);
  const netconf = { cniVersion: "1.0.0", vlan: untagged, vlanTrunk: [{ id: 7 }, { minID: 200, maxID: 300 }] };
  const binding = await bindingOf(t, pod, { netconf });
  await binding.add();
  const guest = await launch(t, { namespace, podLink: "eth0", tap: "tap0" });
  t.comment(`start to shell: ${guest.startTime} ms`);
  await guest.run(`ip link set eth0 up
    for vlan in 0 ${untagged}; do ip address add 10.$vlan.0.2/24 dev eth0; done
    for vlan in ${[...tagged, foreign].join(" ")}; do
      ip link add link eth0 name eth0.$vlan type vlan id $vlan
      ip address add 10.$vlan.0.2/24 dev eth0.$vlan
      ip link set eth0.$vlan up
    done`);

  /**
   * Returns the VLANs in which the guest's ping gets a reply, and those in which the network's
   * does.
   */
  const reached = async (): Promise<{ outwards: number[]; inwards: number[] }> => {
    const found: { outwards: number[]; inwards: number[] } = { outwards: [], inwards: [] };
    for (const vlan of [0, ...vlans]) {
      if ((await guest.attempt(ping(outside(vlan), { seconds: 5 }))).status === 0) found.outwards.push(vlan);
      if (await pings(node, inside(vlan))) found.inwards.push(vlan);
    }
    return found;
  };
  const allowed = [untagged, ...tagged];

  await t.test("the guest reaches the network in its VLANs, untagged and tagged, and in no other VLAN", async (t) => {
    t.same(await reached(), { outwards: allowed, inwards: allowed });
    t.equal(await framesIn(node, `v${foreign}`), 0, "no frame of the foreign one came out");
    t.equal(await guest.run(`cat /sys/class/net/eth0.${foreign}/statistics/rx_packets`), "0\n", "nor in");
    t.match(await binding.check(), { status: 0, stdout: "" });
  });

  await t.test("the guest reaches the foreign VLAN without the bridge's filter, and CHECK reports it", async (t) => {
    const bridge = (verb: string): Promise<unknown> =>
      execa("bridge", ["-n", namespace.name, "-batch", "-"], {
        input: ["tap0", "eth0-nic"].map((port) => `vlan ${verb} vid ${foreign} dev ${port}\n`).join(""),
      });
    await bridge("add");
    t.same(await reached(), { outwards: [...allowed, foreign], inwards: [...allowed, foreign] });
    t.match(await binding.check(), { status: 1, error: { code: 101, msg: /tap0: VLANs / } });
    await bridge("del");
    t.match(await binding.check(), { status: 0, stdout: "" });
  });

  await t.test("DEL while the guest runs restores the pod", async (t) => {
    await binding.del();
    t.same(await settledDifferences(namespace, before), []);
    t.same(await binding.journal(), []);
  });
});

/** Returns how many frames a link has received. */
async function framesIn(namespace: Namespace, link: string): Promise<number> {
  const { stdout } = await execa("ip", ["-n", namespace.name, "-json", "-statistics", "link", "show", "dev", link]);
  return JSON.parse(stdout)[0].stats64.rx.packets;
}
