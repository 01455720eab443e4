// Tests sriov-vfio with Multus in a VM's pod: which VF Multus passes to the plugin, and how
// KubeVirt interprets what Multus reports.
import { mkdirSync, writeFileSync } from "node:fs";
import { execa } from "execa";
import t, { type Test } from "tap";
import { type KubeObject, startKubeApi } from "../../../harness/kube-api.ts";
import { installMultus, missingPeers } from "../../../harness/multus.ts";
import { startKubelet } from "../../../harness/multus-kubelet.ts";
import { hashedName, networkStatusAnnotation, type VmNetwork, viewsOf } from "../../../harness/multus-kubevirt.ts";
import { definition, example, launcherPod } from "../../../harness/multus-manifests.ts";
import { createNamespace } from "../../../harness/namespaces.ts";
import { driverOf, type Vf } from "../../../harness/sriov.ts";
import { done, filesIn, recordsIn, settingsOf, stateOf, vfsOf } from "../pod.ts";

const skip = missingPeers("multus");
const resource = "example.com/sriov_vfio";
const nad = "default/sriov-vlan-100";
const mac = "02:00:00:00:00:10";
const information = "/var/run/k8s.cni.cncf.io/devinfo";

/**
 * The VM of netconf-examples, with a second VF of the same pool. The NetworkAttachmentDefinition of
 * the second one has cniVersion 1.1.0.
 */
const networks: readonly VmNetwork[] = [
  { name: "fast", nad, mac, sriov: true },
  { name: "faster", nad: "default/sriov-newer", sriov: true },
];
let containers = 0;
const links = networks.map(({ name }) => hashedName(name));

/**
 * Prepares a pod to which kubelet has allocated these VFs. `asked` lists the requests to kubelet.
 *
 * The device plugin has written its device information for the first VF only.
 */
async function launcherWith(t: Test, vfs: readonly Vf[], all: readonly VmNetwork[], more: readonly KubeObject[] = []) {
  const manifest = launcherPod(all);
  const { name, namespace } = manifest.metadata;
  const asked = await startKubelet(t, [
    { name, namespace, devices: { [resource]: vfs.map(({ address }) => address) } },
  ]);
  const [{ address }] = vfs as [Vf];
  mkdirSync(`${information}/dp`, { recursive: true });
  writeFileSync(
    `${information}/dp/example.com-sriov_vfio-${address}-device.json`,
    JSON.stringify({ type: "pci", version: "1.1.0", pci: { "pci-address": address } }),
  );
  const [older, newer] = [example("sriov"), example("sriov", { cniVersion: "1.1.0" })];
  const renamed = { ...newer, metadata: { ...newer.metadata, name: "sriov-newer" } };
  const api = await startKubeApi(t, [manifest, older, renamed, ...more]);
  const multus = installMultus(t, { api, network: { cniVersion: "1.0.0", name: "cluster", type: "bridge" } });
  t.teardown(() => execa("ip", ["link", "del", "cni0"], { reject: false }));
  const { path } = await createNamespace(t);
  containers += 1;
  const call = { containerId: `c${containers}`, netns: path };
  return {
    ...{ ...call, manifest, api, multus, asked },
    add: () => multus.add(call, manifest),
    del: () => multus.del(call, manifest),
  };
}

t.test("Multus passes each VF to the plugin, and KubeVirt assigns it to the right interface", { skip }, async (t) => {
  const vfs = await vfsOf(t, "eth0", 2);
  const before = await Promise.all(vfs.map(stateOf));
  const launcher = await launcherWith(t, vfs, networks);
  const { manifest, api, multus, asked, containerId } = launcher;
  const added = await launcher.add();
  t.match(added, { status: 0 }, "ADD", { added });
  t.same(asked, ["/v1.PodResourcesLister/List"]);

  const calls = multus.calls().filter(({ plugin }) => plugin === "sriov-vfio");
  const infos = ["default-sriov-vlan-100", "default-sriov-newer"].map(
    (name, index) => `${information}/cni/${name}-${containerId}_${links[index]}`,
  );
  t.match(
    calls,
    vfs.map(({ address }, index) => ({
      verb: "ADD",
      status: 0,
      env: { CNI_IFNAME: links[index] },
      netconf: {
        deviceID: address,
        pciBusID: address,
        vlan: 100,
        runtimeConfig: { CNIDeviceInfoFile: infos[index] },
      },
    })),
  );
  t.match(calls[0], { env: { CNI_ARGS: new RegExp(`;MAC=${mac}$`) }, netconf: { runtimeConfig: { mac } } });

  const status = multus.networkStatus(manifest)!;
  t.equal(status.length, 3);
  t.match(
    status.slice(1),
    vfs.map(({ address }, index) => ({
      name: networks[index]!.nad,
      interface: links[index],
      // The plugin derives the second VF's MAC address from the pod, the network and the
      // interface. The MTU is part of results from 1.1.0 on.
      ...(index === 0 ? { mac } : { mac: /^02:/, mtu: 1500 }),
      dns: {},
      "device-info": {
        type: "pci",
        version: "1.1.0",
        pci: { "pci-address": address, "pf-pci-address": "0000:01:00.0" },
      },
    })),
  );
  t.same(
    viewsOf(networks, api.annotations(manifest)[networkStatusAnnotation]!),
    new Map(
      networks.map(({ name }, index) => [
        name,
        { podLink: links[index], known: true, migrates: false, pciAddress: vfs[index]!.address },
      ]),
    ),
  );
  t.same(
    vfs.map(({ address }) => driverOf(address)),
    ["vfio-pci", "vfio-pci"],
  );
  t.match(await settingsOf(vfs[0]), { vlan_list: [{ vlan: 100 }], spoofchk: true, trust: false });

  for (const time of ["once", "twice"]) {
    t.match(await launcher.del(), done, time);
    t.same(await Promise.all(vfs.map(stateOf)), before, time);
  }
  t.same([...filesIn(`${information}/cni`), ...recordsIn("/run/sriov-vfio")], [], "and nothing is remembered");
});

t.test("a failure of a later network reverts the VF, and Multus reports no network status", { skip }, async (t) => {
  const vfs = await vfsOf(t, "eth0", 1);
  const before = await stateOf(vfs[0]);
  const broken = definition("vms/broken", { cniVersion: "1.0.0", type: "macvlan", master: "nowhere" });
  const launcher = await launcherWith(t, vfs, [networks[0]!, { name: "red", nad: "vms/broken" }], [broken]);
  t.match(await launcher.add(), { status: 1, error: { msg: /"broken"/ } });
  const calls = launcher.multus.calls().filter(({ plugin }) => plugin === "sriov-vfio");
  t.match(calls, [
    { verb: "ADD", status: 0 },
    { verb: "DEL", status: 0 },
  ]);
  t.same(await stateOf(vfs[0]), before);
  t.same([...filesIn(`${information}/cni`), ...recordsIn("/run/sriov-vfio")], []);
  t.equal(launcher.multus.networkStatus(launcher.manifest), undefined);
});
