// Tests bridge-binding in a chain with Multus: one NetworkAttachmentDefinition creates the network
// and attaches the VM's NIC to it.
import t, { type Test } from "tap";
import type { Netconf } from "../../harness/attachment.ts";
import { ip, links } from "../../harness/ip.ts";
import { missingPeers } from "../../harness/multus.ts";
import { networkStatusAnnotation, viewsOf } from "../../harness/multus-kubevirt.ts";
import { definition } from "../../harness/multus-manifests.ts";
import { settledDifferences, snapshot } from "../../harness/snapshot.ts";
import { createLauncher, type Launcher, macvlanNetwork, makeUplink } from "./launcher.ts";

// Debian's plugins do not support version 1.1.0.
const skip = missingPeers("multus", "macvlan", "host-device");
const blue = "pod16477688c0e";
const mac = "02:00:00:00:00:07";
const networks = [{ name: "blue", nad: "vms/chained", mac }];

/** Creates a pod with a second network that is a chain of `first` and bridge-binding. */
async function chained(t: Test, cniVersion: string, { cniVersion: _, ...first }: Netconf): Promise<Launcher> {
  const launcher = await createLauncher(t, { networks });
  const list = {
    cniVersion,
    name: "chained",
    plugins: [first, { type: "bridge-binding", dataDir: launcher.dataDirs["bridge-binding"] }],
  };
  launcher.api.put(definition("vms/chained", list));
  return launcher;
}

for (const cniVersion of ["1.0.0", "1.1.0"])
  t.test(
    `a chain of macvlan and bridge-binding ${cniVersion} returns one result, which KubeVirt finds`,
    { skip },
    async (t) => {
      const launcher = await chained(t, cniVersion, await macvlanNetwork(t));
      const { pod, api, manifest, multus, records } = launcher;
      await makeUplink(pod);
      const before = await snapshot(pod.namespace);
      t.match(await launcher.add(), { status: 0 });
      const [made, bound] = multus.calls().filter(({ plugin }) => /^(macvlan|bridge-binding)$/.test(plugin));
      t.same(bound!.netconf!["prevResult"], made!.answer, "what the one made is what the other is given");
      t.match(bound, { plugin: "bridge-binding", env: { CNI_IFNAME: blue, CNI_ARGS: /;MAC=02:00:00:00:00:07$/ } });

      const status = multus.networkStatus(manifest)!.filter(({ name }) => name === "vms/chained");
      t.match(status, [
        { interface: blue, mac, ips: ["10.7.0.2"], ...(cniVersion === "1.1.0" && { mtu: 1500 }) },
        { interface: "k6t-16477688c0e", ips: undefined },
        { interface: "16477688c0e-nic", ips: undefined },
        { interface: "tap16477688c0e", ips: undefined },
      ]);
      t.equal(status.length, 4);
      t.same(
        viewsOf(networks, api.annotations(manifest)[networkStatusAnnotation]!),
        new Map([["blue", { podLink: blue, known: true, migrates: false }]]),
      );
      t.match((await links(pod.namespace)).get("tap16477688c0e"), { master: "k6t-16477688c0e" });

      t.match(await launcher.del(), { status: 0, stdout: "" });
      t.same(multus.order("host-local", "tuning").slice(3), [
        `DEL bridge-binding ${blue}`,
        `DEL macvlan ${blue}`,
        "DEL bridge eth0",
      ]);
      const deleted = multus.calls().findLast(({ plugin }) => plugin === "macvlan")!;
      t.same(deleted.links, ["eth0", "lo", blue], "macvlan's own link is there again for its DEL");
      t.same(await settledDifferences(pod.namespace, before), []);
      t.same(await records(), []);
    },
  );

t.test("DEL of a chain of host-device and bridge-binding returns the node's NIC unchanged", { skip }, async (t) => {
  const launcher = await chained(t, "1.1.0", { type: "host-device", device: "nic7" });
  const { pod, api, manifest, multus } = launcher;
  await ip(
    pod.node,
    "link add nic7 type veth peer name far",
    "link set nic7 address 02:00:00:00:00:55 mtu 1300 up",
    "link set far up",
  );
  const before = await snapshot(pod.namespace);
  t.match(await launcher.add(), { status: 0 });
  t.notOk((await links(pod.node)).has("nic7"));
  const inPod = await links(pod.namespace);
  t.match(inPod.get("16477688c0e-nic"), { master: "k6t-16477688c0e", linkinfo: { info_kind: "veth" } });
  t.match(inPod.get(blue), { address: mac, mtu: 1300 });
  t.match(
    multus.networkStatus(manifest)!.find(({ interface: link }) => link === blue),
    { name: "vms/chained", mac, mtu: 1300 },
  );
  t.match(viewsOf(networks, api.annotations(manifest)[networkStatusAnnotation]!).get("blue"), {
    known: true,
    migrates: false,
  });
  t.match(await launcher.del(), { status: 0, stdout: "" });
  t.match((await links(pod.node)).get("nic7"), { address: "02:00:00:00:00:55", mtu: 1300 });
  t.same(await settledDifferences(pod.namespace, before), []);
});
