import { execa } from "execa";
import t from "tap";
import type { Netconf } from "../../../harness/attachment.ts";
import { type GuestOptions, startGuest } from "../../../harness/guest.ts";
import { ip, links } from "../../../harness/ip.ts";
import { createPod, type Pod } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { bindingOf } from "./binding.ts";
import { missing } from "./features.ts";

const filtering = missing("vlanFiltering");
const options: Netconf[] = [{ vlan: 100 }, { vlanTrunk: [{ id: 7 }, { minID: 200, maxID: 300 }] }];

t.test("ADD accepts vlan and vlanTrunk only if the kernel's bridges filter VLANs", async (t) => {
  for (const netconf of options) {
    const pod = await createPod(t);
    await pod.attach({ kind: "bridge", families: "dual" });
    const before = await snapshot(pod.namespace);
    const binding = await bindingOf(t, pod, { netconf });
    const answer = await binding.run("ADD");
    if (filtering) t.match(answer, { status: 1, error: { msg: /k6t-eth0: .*VLAN/i } });
    else {
      t.match(answer, { status: 0 });
      await binding.del();
    }
    t.same(await settledDifferences(pod.namespace, before), []);
    t.same(await binding.journal(), []);
  }
});

/** Creates an attached pod. Its node has a gateway 10.<VLAN modulo 256>.0.1/16 in each VLAN. */
async function bound(t: Scope, netconf: Netconf, vlans: readonly number[]) {
  const pod = await createPod(t);
  await pod.attach({ kind: "veth", addresses: ["10.0.0.2/24"] });
  await ip(pod.node, "address add 10.0.0.1/16 dev veth1");
  for (const vlan of vlans)
    await ip(
      pod.node,
      `link add v${vlan} link veth1 type vlan id ${vlan}`,
      `address add ${gatewayOf(vlan)}/16 dev v${vlan}`,
      `link set v${vlan} up`,
    );
  const binding = await bindingOf(t, pod, { netconf });
  await binding.add();
  return { pod, binding };
}

/**
 * Returns the VLANs in which the guest reaches the network if it tags its frames with `tag`.
 *
 * 0 stands for no VLAN. Without `tag` the guest does not tag its frames.
 */
async function reached(t: Scope, pod: Pod, vlans: readonly number[], tag?: number): Promise<number[]> {
  const found: number[] = [];
  for (const vlan of [0, ...vlans]) {
    const mac = (await links(pod.namespace)).get("eth0")!.address;
    const options: GuestOptions = { namespace: pod.namespace, tap: "tap0", mac, ips: [`10.${vlan % 256}.0.2`] };
    const guest = await startGuest(t, { ...options, ...(tag !== undefined && { vlan: tag }) });
    if (await guest.ping(gatewayOf(vlan), { timeout: 600 })) found.push(vlan);
    await guest.stop();
  }
  return found;
}

t.test("vlan connects the guest to that VLAN only, without a tag", { skip: filtering }, async (t) => {
  const { pod, binding } = await bound(t, { vlan: 100 }, [7, 100]);
  t.same(await reached(t, pod, [7, 100]), [100]);
  for (const tag of [7, 100]) t.same(await reached(t, pod, [7, 100], tag), [], `tagged ${tag}`);
  t.match(await binding.check(), { status: 0, stdout: "" });
});

t.test("vlanTrunk connects the guest to those VLANs only, with their tags", { skip: filtering }, async (t) => {
  const vlans = [7, 8, 150, 201];
  const { pod, binding } = await bound(t, { vlanTrunk: [{ id: 7 }, { minID: 200, maxID: 300 }] }, vlans);
  t.same(await reached(t, pod, vlans), [], "without a tag");
  for (const tag of vlans)
    t.same(await reached(t, pod, vlans, tag), tag === 7 || tag === 201 ? [tag] : [], `tagged ${tag}`);
  t.match(await binding.check(), { status: 0, stdout: "" });
});

t.test(
  "vlan and vlanTrunk together connect the guest to one untagged VLAN and to tagged ones",
  { skip: filtering },
  async (t) => {
    const vlans = [7, 100];
    const { pod } = await bound(t, { vlan: 100, vlanTrunk: [{ id: 7 }] }, vlans);
    t.same(await reached(t, pod, vlans), [100]);
    t.same(await reached(t, pod, vlans, 7), [7]);
  },
);

t.test("CHECK names VLANs that differ from the configuration", { skip: filtering }, async (t) => {
  const { pod, binding } = await bound(t, { vlan: 100 }, []);
  await execa("bridge", ["-n", pod.namespace.name, "vlan", "add", "vid", "5", "dev", "tap0"]);
  t.match(await binding.check(), { status: 1, error: { code: 101, msg: /tap0: VLANs / } });
});

t.test("DEL restores a pod link that ADD put into VLANs", { skip: filtering }, async (t) => {
  for (const netconf of options) {
    const pod = await createPod(t);
    await pod.attach({ kind: "bridge", families: "dual" });
    const before = await snapshot(pod.namespace);
    const binding = await bindingOf(t, pod, { netconf });
    await binding.add();
    await binding.del();
    t.same(await settledDifferences(pod.namespace, before), []);
  }
});

function gatewayOf(vlan: number): string {
  return `10.${vlan % 256}.0.1`;
}
