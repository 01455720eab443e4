import { createHash } from "node:crypto";
import t from "tap";
import type { AttachmentOptions } from "../../../harness/attachment.ts";
import { ip, links } from "../../../harness/ip.ts";
import { createPod, type Pod } from "../../../harness/pod.ts";
import { bindingOf, blue } from "./binding.ts";

/**
 * Adds the attachment, reads the names of the pod's links, and deletes the attachment.
 *
 * @throws Error if DEL does not restore the pod's earlier links
 */
async function linksWith(
  scope: Parameters<typeof bindingOf>[0],
  pod: Pod,
  options: AttachmentOptions,
): Promise<string[]> {
  const shown = async () => [...(await links(pod.namespace)).keys()].filter((name) => name !== "lo").sort();
  const before = await shown();
  const binding = await bindingOf(scope, pod, options);
  await binding.add();
  const found = await shown();
  await binding.del();
  const after = await shown();
  if (`${after}` !== `${before}`) throw new Error(`DEL left ${after}, not ${before}`);
  return found;
}

const bound = (podLink: string, bridge: string, nic: string, tap: string) => [podLink, bridge, nic, tap];
const primary = bound("eth0", "k6t-eth0", "eth0-nic", "tap0");
const secondary = bound(blue, "k6t-16477688c0e", "16477688c0e-nic", "tap16477688c0e");
const logicNetworkName = (name: string) => ({ args: { cni: { logicNetworkName: name } } });

/** The links that ADD leaves in a pod with eth0, eth1, net1 and the pod link of network blue. */
const cases: Record<string, { options: AttachmentOptions; binds: string[] }> = {
  "the network's own link, where the pod has it": { options: {}, binds: secondary },
  "the primary link, where the network has none of its own": {
    options: { netconf: logicNetworkName("red") },
    binds: primary,
  },
  "the primary link, where no network is named": { options: { netconf: { args: undefined } }, binds: primary },
  "another primary link, where primaryInterface says so": {
    options: { netconf: { ...logicNetworkName("red"), primaryInterface: "eth1" } },
    binds: bound("eth1", "k6t-eth1", "eth1-nic", "tap0"),
  },
  "the network's own link, even where primaryInterface names another": {
    options: { netconf: { primaryInterface: "eth1" } },
    binds: secondary,
  },
  "the link that interface names, above all else": {
    options: { netconf: { interface: "eth0", primaryInterface: "eth1" } },
    // eth0 is not the primary one here, so its tap is not tap0.
    binds: bound("eth0", "k6t-eth0", "eth0-nic", `tap${digits("eth0")}`),
  },
  "the link in CNI_IFNAME, in a chain": {
    options: { ifname: "eth0", netconf: { prevResult: { cniVersion: "1.1.0" } } },
    binds: primary,
  },
  "the link in CNI_IFNAME, in a chain, even where a network is named": {
    options: { ifname: "eth0", netconf: { ...logicNetworkName("blue"), prevResult: { cniVersion: "1.1.0" } } },
    binds: primary,
  },
  "net1, in a chain, with the names that KubeVirt had before 1.0": {
    options: { ifname: "net1", netconf: { prevResult: { cniVersion: "1.1.0" } } },
    binds: bound("net1", "k6t-net1", "net1-nic", "tap1"),
  },
  "the link that interface names, in a chain": {
    options: { ifname: "eth0", netconf: { interface: blue, prevResult: { cniVersion: "1.1.0" } } },
    binds: secondary,
  },
};

t.test("ADD attaches the link that the configuration selects", async (t) => {
  const pod = await createPod(t);
  for (const ifname of ["eth0", "eth1", "net1", blue]) await pod.attach({ kind: "veth", ifname });
  for (const [which, { options, binds }] of Object.entries(cases)) {
    const found = await linksWith(t, pod, options);
    const others = ["eth0", "eth1", "net1", blue].filter((name) => name !== binds[0]);
    t.same(found, [...binds, ...others].sort(), which);
  }
});

t.test("ADD derives the names for another primary link as KubeVirt does", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "veth", ifname: "ovn-udn1" });
  const found = await linksWith(t, pod, { netconf: { primaryInterface: "ovn-udn1" } });
  t.same(found, ["k6t-ovn-udn1", "ovn-udn1", "ovn-udn1-nic", "tap0"]);
});

t.test("ADD derives names from a hash if they would exceed 15 bytes", async (t) => {
  const pod = await createPod(t);
  const ifname = "fifteen-bytes-1";
  await pod.attach({ kind: "veth", ifname });
  const hash = digits(ifname);
  const found = await linksWith(t, pod, { netconf: { interface: ifname } });
  t.same(found, bound(ifname, `k6t-${hash}`, `${hash}-nic`, `tap${hash}`).sort());
});

t.test("ADD attaches a link with an unusual name, and DEL restores it", async (t) => {
  const pod = await createPod(t);
  for (const ifname of ["eth0.5", "a.b.c", "conf", "all-1"]) {
    await pod.attach({ kind: "veth", ifname, addresses: ["10.0.0.2/24"] });
    const found = await linksWith(t, pod, { netconf: { interface: ifname } });
    t.equal(found.filter((name) => name === ifname).length, 1, ifname);
    await ip(pod.namespace, `link del ${ifname}`);
  }
});

t.test("ADD hashes the network's name as KubeVirt does", async (t) => {
  const pod = await createPod(t);
  // Two names from KubeVirt's own tests, and one that is not ASCII.
  const names = { red: "b1f51a511f1", "bridge-net": "03b731d2111", grün: digits("grün") };
  for (const [name, hash] of Object.entries(names)) {
    await pod.attach({ kind: "veth", ifname: `pod${hash}` });
    const found = await linksWith(t, pod, { netconf: logicNetworkName(name) });
    t.ok(found.includes(`k6t-${hash}`), name);
  }
});

function digits(name: string): string {
  return createHash("sha256").update(name).digest("hex").slice(0, 11);
}
