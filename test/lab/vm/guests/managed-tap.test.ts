// Tests a guest on a tap from KubeVirt and a bridge from bridge-binding (`managedTap`).
//
// It also runs in the machine (inside.test.ts), because the machine's kernel has dummy links.
import t from "tap";
import { ipShow, links } from "../../../harness/ip.ts";
import { removeNamespaces } from "../../../harness/namespaces.ts";
import { createPod } from "../../../harness/pod.ts";
import { settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { bindingOf } from "../../../system/netns/bridge-binding/binding.ts";
import { missing } from "../../../system/netns/bridge-binding/features.ts";
import { configure } from "./addressing.ts";
import { manageTap, type TakeBack } from "./kubevirt.ts";
import { launch } from "./launcher.ts";
import { startOutsider } from "./outsider.ts";
import { ping, pings, reaches } from "./pings.ts";

const mtu = 1400;
const names = { podLink: "eth0", bridge: "k6t-eth0", nic: "eth0-nic", tap: "tap0" };
const placeholder = missing("dummy") ? "bridge" : "dummy";

t.test("bridge-binding connects a guest on KubeVirt's own tap", async (t) => {
  const pod = await createPod(t);
  const { namespace, node } = pod;
  const network = await pod.attach({ kind: "bridge", families: "dual", mtu });
  const { mac, gateways } = network;
  const ips = network.addresses.map((address) => address.split("/")[0]!);
  const outsider = await startOutsider(t, { node, bridge: "cni1", ips: ["10.1.0.99", "fd00:1::99"] });
  const before = await snapshot(namespace);
  const netconf = { cniVersion: "1.0.0", attachment: "managedTap" };
  const binding = await bindingOf(t, pod, { netconf });

  const prepare = async (): Promise<TakeBack> => {
    t.equal((await binding.add()).stdout, '{"cniVersion":"1.0.0"}\n');
    return await manageTap(t, { namespace, ...names, placeholder });
  };
  const takeBack = await prepare();

  await t.test("no machine answers for the guest's addresses before it starts", async (t) => {
    t.same([...(await links(namespace)).keys()].sort(), ["eth0", "eth0-nic", "k6t-eth0", "lo", "tap0"]);
    t.same(await outsider.answerers(ips), [[], []]);
  });

  const guest = await launch(t, { namespace, ...names });
  t.comment(`start to shell: ${guest.startTime} ms`);

  await t.test(
    "the guest and the network reach each other with frames of the full MTU and the pod link's MAC address",
    async (t) => {
      for (const [position, address] of network.addresses.entries())
        await configure(guest, address, gateways[position]!);
      await reaches(t, guest, { targets: gateways, of: node, mtu });
      for (const target of ips) t.ok(await pings(node, target), target);
      t.same(await outsider.answerers(ips), [[mac], [mac]]);
      t.match(await binding.check(), { status: 0, stdout: "" }, "CHECK is content");
    },
  );

  await t.test(
    "DEL while the guest runs removes only the bridge, and removing KubeVirt's links restores the pod",
    async (t) => {
      await binding.del();
      const left = await ipShow<{ ifname: string; group: string; master?: string }>(namespace, "link show");
      const marked = left.filter(({ group, master }) => group !== "default" || master !== undefined);
      t.same(left.map(({ ifname }) => ifname).sort(), ["eth0", "eth0-nic", "lo", "tap0"]);
      t.same(marked, [], "none has our mark");
      t.same(await binding.journal(), []);
      t.match(await guest.attempt(ping(gateways[0]!, { seconds: 1 })), { status: 1, output: "100% packet loss" });
      await guest.stop();
      await takeBack();
      t.same(await settledDifferences(namespace, before), []);
      t.same(await outsider.answerers(ips), [[mac], [mac]], "it answers itself again");
    },
  );

  await t.test("DEL after the removal of KubeVirt's links restores the pod", async (t) => {
    await (await prepare())();
    await binding.del();
    t.same(await settledDifferences(namespace, before), []);
    t.same(await binding.journal(), []);
  });

  await t.test("DEL after the pod's removal leaves no record", async (t) => {
    await prepare();
    await removeNamespaces([namespace]);
    await binding.del();
    t.same(await binding.journal(), []);
  });
});
