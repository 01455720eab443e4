// Tests our bindings with Multus in a VM's pod: the calls that reach them, what Multus reports to
// KubeVirt, and the state after DEL.
import t, { type Test } from "tap";
import { links, readSysctl } from "../../harness/ip.ts";
import { missingPeers } from "../../harness/multus.ts";
import { networkStatusAnnotation, type VmNetwork, viewsOf } from "../../harness/multus-kubevirt.ts";
import type { RecordedCall } from "../../harness/recorded-calls.ts";
import { settledDifferences, snapshot } from "../../harness/snapshot.ts";
import { createLauncher, type Launcher, macvlanNetwork, makeUplink } from "./launcher.ts";

const skip = missingPeers("multus");
const done = { status: 0, stdout: "" };
const mac = "02:00:00:00:00:07";
const blue = "pod16477688c0e";

/** The pod's default network through passt, and a second network through a bridge. */
const networks: readonly VmNetwork[] = [
  { name: "default", binding: "default/passt-binding" },
  { name: "blue", nad: "vms/net-a", mac, binding: "default/bridge-binding" },
];

async function launcherOf(t: Test): Promise<Launcher> {
  const launcher = await createLauncher(t, { networks, nads: { "vms/net-a": await macvlanNetwork(t) } });
  await makeUplink(launcher.pod);
  return launcher;
}

const ours = ({ plugin }: RecordedCall): boolean => plugin.endsWith("-binding");

/** Returns the sorted names of a pod's links. */
async function namesOf({ pod }: Launcher): Promise<string[]> {
  return [...(await links(pod.namespace)).keys()].sort();
}

t.test(
  "Multus calls a binding right after its network, with the network's name but not its result",
  { skip },
  async (t) => {
    const launcher = await launcherOf(t);
    const { pod, multus, dataDirs } = launcher;
    t.match(await launcher.add(), { status: 0 });
    t.same(multus.order("host-local", "tuning"), [
      "ADD bridge eth0",
      "ADD passt-binding net1",
      `ADD macvlan ${blue}`,
      "ADD bridge-binding net3",
    ]);

    const pair = `K8S_POD_NAMESPACE=vms;K8S_POD_NAME=virt-launcher-vm-x7k2p;K8S_POD_INFRA_CONTAINER_ID=${pod.containerId}`;
    const words = `${pair};K8S_POD_UID=6a1c1c9e-0d0f-4a6b-9f43-0d4a8f6f4f11`;
    const expected = (
      type: keyof typeof dataDirs,
      ifname: string,
      logicNetworkName: string,
      has: readonly string[],
    ): RecordedCall => ({
      plugin: type,
      verb: "ADD",
      env: {
        CNI_COMMAND: "ADD",
        CNI_CONTAINERID: pod.containerId,
        CNI_NETNS: pod.namespace.path,
        CNI_IFNAME: ifname,
        // Multus passes its own values first, and then those of its caller.
        CNI_ARGS: `IgnoreUnknown=true;${words};IgnoreUnknown=1;${words}`,
        CNI_PATH: `${multus.directory}:${multus.directory}`,
      },
      netconf: { cniVersion: "1.0.0", name: type, type, dataDir: dataDirs[type], args: { cni: { logicNetworkName } } },
      links: [...has, "lo"],
      status: 0,
      answer: { cniVersion: "1.0.0" },
    });
    const told = multus.calls().filter(ours);
    const variables = (env: RecordedCall["env"]): RecordedCall["env"] =>
      Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith("CNI_")));
    t.same(
      told.map((call) => ({ ...call, env: variables(call.env), links: call.links?.filter((link) => link !== blue) })),
      [expected("passt-binding", "net1", "default", ["eth0"]), expected("bridge-binding", "net3", "blue", ["eth0"])],
    );
    t.ok(told[1]!.links!.includes(blue), "its network's link is there by then");
  },
);

t.test("network-status lists the VM's networks and no binding", { skip }, async (t) => {
  const launcher = await launcherOf(t);
  const { pod, api, manifest, multus } = launcher;
  const { result } = await launcher.add();
  const after = await links(pod.namespace);
  const status = multus.networkStatus(manifest);
  t.match(status, [
    { name: "cluster", interface: "eth0", default: true, mac: after.get("eth0")!.address },
    { name: "vms/net-a", interface: blue, mac, ips: ["10.7.0.2"], default: undefined },
  ]);
  t.equal(status!.length, 2, "and nothing else", { status });
  t.match(result!.interfaces!.at(-1), { name: "eth0" }, "nor does the runtime hear of another link than the pod's own");
  const annotations = api.annotations(manifest);
  t.same(
    viewsOf(networks, annotations[networkStatusAnnotation]!),
    new Map([
      ["default", { podLink: "eth0", known: true, migrates: false }],
      ["blue", { podLink: blue, known: true, migrates: false }],
    ]),
  );
  t.equal(annotations["kubevirt.io/domain"], "vm", "other annotations stay");
});

t.test(
  "the bindings create links with KubeVirt's names, and no link gets Multus' interface name",
  { skip },
  async (t) => {
    const launcher = await launcherOf(t);
    await launcher.add();
    const names = ["16477688c0e-nic", "eth0", "k6t-16477688c0e", "lo", blue, "tap16477688c0e"];
    t.same(await namesOf(launcher), names);
    const { namespace } = launcher.pod;
    t.match((await links(namespace)).get("tap16477688c0e"), {
      master: "k6t-16477688c0e",
      linkinfo: { info_data: { type: "tap", persist: true, user: 107, group: 107 } },
    });
    t.equal((await links(namespace)).get(blue)!.address, mac, "from which KubeVirt reads the guest's MAC address");
    t.equal(await readSysctl(namespace, "net/ipv4/ip_unprivileged_port_start"), "0");
    await launcher.del();
    const seen = new Set(launcher.multus.calls().flatMap((call) => call.links ?? []));
    t.same(
      [...seen].filter((name) => /^net\d+$/.test(name)),
      [],
      "none ever had",
    );
  },
);

t.test("DEL in reverse order leaves each network's plugin its own link and restores the pod", { skip }, async (t) => {
  const launcher = await launcherOf(t);
  const { pod, multus, records } = launcher;
  const before = await snapshot(pod.namespace);
  await launcher.add();
  const added = multus.calls().length;
  t.match(await launcher.del(), done);
  t.same(multus.order("host-local", "tuning").slice(4), [
    "DEL bridge-binding net3",
    `DEL macvlan ${blue}`,
    "DEL passt-binding net1",
    "DEL bridge eth0",
  ]);
  const deleted = multus.calls().slice(added);
  t.ok(
    deleted.every(({ status }) => status === 0),
    "all succeed",
    { deleted },
  );
  t.same(deleted.find(({ plugin }) => plugin === "macvlan")!.links, ["eth0", "lo", blue]);
  t.match(deleted.find(({ plugin }) => plugin === "bridge-binding")!.netconf, {
    prevResult: { cniVersion: "1.0.0" },
  });
  t.same(await settledDifferences(pod.namespace, before), []);
  t.same(await records(), []);
});

t.test("bridge-binding creates links for each NIC of a VM, whatever the order of its networks", { skip }, async (t) => {
  const binding = "default/bridge-binding";
  const all = [
    { name: "red", nad: "vms/net-b", binding },
    { name: "default", binding },
    { name: "blue", nad: "vms/net-a", binding },
  ];
  const [netA, netB] = [await macvlanNetwork(t), await macvlanNetwork(t)];
  const launcher = await createLauncher(t, { networks: all, nads: { "vms/net-a": netA, "vms/net-b": netB } });
  const { pod, manifest, api, multus } = launcher;
  await makeUplink(pod);
  const before = await snapshot(pod.namespace);
  t.match(await launcher.add(), { status: 0 });
  t.same(multus.order("host-local", "tuning", "macvlan", "bridge"), [
    "ADD bridge-binding net2",
    "ADD bridge-binding net3",
    "ADD bridge-binding net5",
  ]);
  const bridges = ["k6t-eth0", "k6t-16477688c0e", "k6t-b1f51a511f1"];
  t.same(
    (await namesOf(launcher)).filter((name) => name.startsWith("k6t-")),
    bridges.sort(),
  );
  const views = viewsOf(all, api.annotations(manifest)[networkStatusAnnotation]!);
  t.ok(
    [...views.values()].every(({ known, migrates }) => known && !migrates),
    "KubeVirt knows each",
    { views },
  );
  t.equal(multus.networkStatus(manifest)!.length, 3);
  t.match(await launcher.del(), done);
  t.same(await settledDifferences(pod.namespace, before), []);
});
