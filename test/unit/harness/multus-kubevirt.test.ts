import t from "tap";
import { hashedName, networksFor, podLinks, type VmNetwork, viewsOf } from "../../harness/multus-kubevirt.ts";

const networks: readonly VmNetwork[] = [
  { name: "default", binding: "default/passt-binding" },
  { name: "blue", nad: "vms/net-a", mac: "02:00:00:00:00:07", binding: "default/bridge-binding" },
  { name: "fast", nad: "default/sriov", sriov: true },
];
const device = (address: string) => ({ type: "pci", version: "1.1.0", pci: { "pci-address": address } });
const good = [
  { name: "cluster", interface: "eth0", default: true },
  { name: "vms/net-a", interface: "pod16477688c0e" },
  { name: "default/sriov", interface: hashedName("fast"), "device-info": device("0000:01:10.0") },
];
const views = (statuses: readonly object[]) => Object.fromEntries(viewsOf(networks, JSON.stringify(statuses)));

t.test("a pod requests each network by its hashed name, and its binding right after it", async (t) => {
  t.same(JSON.parse(networksFor(networks)), [
    { name: "passt-binding", namespace: "default", "cni-args": { logicNetworkName: "default" } },
    { name: "net-a", namespace: "vms", interface: "pod16477688c0e", mac: "02:00:00:00:00:07" },
    { name: "bridge-binding", namespace: "default", "cni-args": { logicNetworkName: "blue" } },
    { name: "sriov", namespace: "default", interface: hashedName("fast") },
  ]);
  t.same(["blue", "red", "bridge-net"].map(hashedName), ["pod16477688c0e", "podb1f51a511f1", "pod03b731d2111"]);
});

t.test("a right status has a link for every network, and the VF's address", async (t) => {
  const fine = { known: true, migrates: false };
  t.same(views(good), {
    default: { podLink: "eth0", ...fine },
    blue: { podLink: "pod16477688c0e", ...fine },
    fast: { podLink: hashedName("fast"), ...fine, pciAddress: "0000:01:10.0" },
  });
});

t.test("a binding that reports its CNI_IFNAME makes KubeVirt count, and lose every secondary network", async (t) => {
  const found = views([...good, { name: "default/bridge-binding", interface: "net2" }]);
  t.match(found, { blue: { podLink: "net1", known: false }, fast: { podLink: "net2", migrates: true } });
  t.equal(found["fast"]!.pciAddress, undefined);
});

t.test("a binding that reports its network's link makes the VMI migrate at once", async (t) => {
  const found = views([...good, { name: "default/bridge-binding", interface: "pod16477688c0e" }]);
  t.match(found, { blue: { known: true, migrates: true }, fast: { migrates: false } });
});

t.test("a VF without an address, or with another link, is not counted", async (t) => {
  const [cluster, blue, fast] = good;
  for (const wrong of [
    { ...fast, "device-info": undefined },
    { ...fast, interface: "eth7" },
    { ...fast, interface: undefined },
  ])
    t.equal(views([cluster!, blue!, wrong])["fast"]!.pciAddress, undefined);
});

t.test("the pod's own network is on the link that is its default one", async (t) => {
  const primary = [
    { name: "cluster", interface: "eth0" },
    { name: "udn", interface: "ovn-udn1", default: true },
  ];
  t.equal(podLinks(networks, primary).get("default"), "ovn-udn1");
  t.equal(podLinks(networks, []).get("default"), "eth0");
});
