// Tests what `diagnose` finds in pods of bridge-binding, healthy and broken.
//
// The tests break the pods with ip, bridge and sysctl. They compare the code and the subject of
// each finding.
import { once } from "node:events";
import { mkdir, readFile, rename, unlink, writeFile } from "node:fs/promises";
import { execa } from "execa";
import t from "tap";
import { attachmentOf } from "../../../harness/attachment.ts";
import { startGuest } from "../../../harness/guest.ts";
import { ip, links, writeSysctls } from "../../../harness/ip.ts";
import type { Namespace } from "../../../harness/namespaces.ts";
import { callPlugin, dist } from "../../../harness/plugin.ts";
import { createPod } from "../../../harness/pod.ts";
import { differences, snapshot } from "../../../harness/snapshot.ts";
import { blue } from "../bridge-binding/binding.ts";
import { asKubevirtDoes } from "../bridge-binding/kubevirt.ts";
import { diagnose, patientOf } from "./diagnosing.ts";

const arpIgnore = "net/ipv4/conf/all/arp_ignore";

/** The MAC addresses of the guest and of the tap. */
interface Macs {
  readonly guest: string;
  readonly tap: string;
}

/** A function that breaks a pod, one that repairs it, and the findings between the two. */
interface Breakage {
  readonly break: (namespace: Namespace, macs: Macs) => Promise<unknown>;
  readonly heal: (namespace: Namespace, macs: Macs) => Promise<unknown>;
  readonly found: readonly string[];
}

/** Returns a breakage that needs only `ip` commands. */
function byIp(broken: readonly string[], healed: readonly string[], found: readonly string[]): Breakage {
  return { break: (namespace) => ip(namespace, ...broken), heal: (namespace) => ip(namespace, ...healed), found };
}

const breakages: Record<string, Breakage> = {
  "a tap that is down": byIp(["link set tap0 down"], ["link set tap0 up"], ["link-down tap0"]),
  "a NIC that is down": byIp(["link set eth0-nic down"], ["link set eth0-nic up"], ["link-down eth0-nic"]),
  "a bridge that is down": byIp(["link set k6t-eth0 down"], ["link set k6t-eth0 up"], ["link-down k6t-eth0"]),
  "a tap that is no port": byIp(["link set tap0 nomaster"], ["link set tap0 master k6t-eth0"], ["not-a-port tap0"]),
  "a tap that is another bridge's port": byIp(
    ["link add br7 type bridge", "link set tap0 master br7"],
    ["link set tap0 master k6t-eth0", "link del br7"],
    ["not-a-port tap0"],
  ),
  "a NIC that is another bridge's port": byIp(
    ["link add br7 type bridge", "link set eth0-nic master br7"],
    ["link set eth0-nic master k6t-eth0", "link set eth0-nic type bridge_slave learning off", "link del br7"],
    ["not-a-port eth0-nic"],
  ),
  "a placeholder that is up": byIp(
    ["link set eth0 up"],
    ["link set eth0 down", "address add fd00:1::2/64 dev eth0"],
    ["placeholder-up eth0"],
  ),
  "a tap that is called otherwise": byIp(
    ["link set tap0 down", "link set tap0 name tap7", "link set tap7 up"],
    ["link set tap7 down", "link set tap7 name tap0", "link set tap0 up"],
    ["name-unexpected tap7", "record-differs tap0"],
  ),
  "a NIC that is called otherwise": byIp(
    ["link set eth0-nic down", "link set eth0-nic name uplink", "link set uplink up"],
    ["link set uplink down", "link set uplink name eth0-nic", "link set eth0-nic up"],
    ["name-unexpected uplink", "record-differs eth0-nic"],
  ),
  "a link by KubeVirt's old names": {
    break: (namespace) => ip(namespace, "link add net1 type bridge", "link add pod16477688c0e type bridge"),
    heal: (namespace) => ip(namespace, "link del net1", "link del pod16477688c0e"),
    found: ["name-ordinal net1"],
  },
  "a tap with the guest's MAC address": {
    break: (namespace, { guest }) => ip(namespace, `link set tap0 address ${guest}`),
    heal: (namespace, { tap }) => ip(namespace, `link set tap0 address ${tap}`),
    found: ["mac-doubled tap0"],
  },
  "a tap with a smaller MTU": byIp(
    ["link set tap0 mtu 1400"],
    ["link set tap0 mtu 1500"],
    ["mtu-shrinks tap0", "record-differs k6t-eth0"],
  ),
  "a bridge with a smaller MTU": byIp(
    ["link set k6t-eth0 mtu 1400"],
    ["link set k6t-eth0 mtu 1500"],
    ["mtu-shrinks k6t-eth0"],
  ),
  "a NIC with a smaller MTU": byIp(
    ["link set eth0-nic mtu 1400"],
    ["link set eth0-nic mtu 1500"],
    ["mtu-shrinks eth0-nic"],
  ),
  "an address that is gone": byIp(
    ["address del 10.1.0.2/24 dev eth0"],
    ["address add 10.1.0.2/24 dev eth0"],
    ["address-lost eth0"],
  ),
  "IPv6 that is switched off where the guest's address is": {
    break: (namespace) => writeSysctls(namespace, { "net/ipv6/conf/eth0/disable_ipv6": "1" }),
    heal: async (namespace) => {
      await writeSysctls(namespace, { "net/ipv6/conf/eth0/disable_ipv6": "0" });
      await ip(namespace, "address add fd00:1::2/64 dev eth0");
    },
    found: ["ipv6-off eth0"],
  },
  "the guest's address on the bridge": byIp(
    ["address add 10.1.0.2/32 dev k6t-eth0"],
    ["address del 10.1.0.2/32 dev k6t-eth0"],
    ["address-on-plumbing k6t-eth0"],
  ),
  "an IPv6 address on the NIC": {
    break: async (namespace) => {
      await writeSysctls(namespace, { "net/ipv6/conf/eth0-nic/disable_ipv6": "0" });
      await ip(namespace, "address add 2001:db8::77/64 dev eth0-nic");
    },
    heal: (namespace) => writeSysctls(namespace, { "net/ipv6/conf/eth0-nic/disable_ipv6": "1" }),
    found: ["address-learnt eth0-nic"],
  },
  "a pod that answers for the guest": {
    break: (namespace) => writeSysctls(namespace, { [arpIgnore]: "0" }),
    heal: (namespace) => writeSysctls(namespace, { [arpIgnore]: "1" }),
    found: ["arp-ignore net.ipv4.conf.all.arp_ignore"],
  },
  "a NIC that the bridge learns from": byIp(
    ["link set eth0-nic type bridge_slave learning on"],
    ["link set eth0-nic type bridge_slave learning off"],
    ["learning-on eth0-nic"],
  ),
  "two ports that are isolated": byIp(
    ["link set eth0-nic type bridge_slave isolated on", "link set tap0 type bridge_slave isolated on"],
    ["link set eth0-nic type bridge_slave isolated off", "link set tap0 type bridge_slave isolated off"],
    ["port-isolated tap0", "record-differs eth0-nic"],
  ),
  "a bridge that speaks STP": byIp(
    ["link set k6t-eth0 type bridge stp_state 1", "link set eth0-nic down", "link set eth0-nic up"],
    ["link set k6t-eth0 type bridge stp_state 0", "link set eth0-nic type bridge_slave state 3"],
    ["stp-on k6t-eth0", "port-state eth0-nic"],
  ),
  "a change that only the record tells of": {
    break: (namespace) => ip(namespace, "link set tap0 address 02:00:00:00:77:01"),
    heal: (namespace, { tap }) => ip(namespace, `link set tap0 address ${tap}`),
    found: ["record-differs tap0"],
  },
};

t.test("diagnose draws a healthy pod as text and as JSON", async (t) => {
  const { pod, dataDir, document } = await patientOf(t);

  const { status, stdout, stderr } = await diagnose(["--data-dir", dataDir, pod.namespace.name]);

  t.match({ status, stderr }, { status: 0, stderr: "" });
  t.match(stdout, /^network ─── eth0-nic ─── k6t-eth0 ─── tap0 ┄┄┄ guest {4}bridge-binding, net1 of container-/);
  t.match(stdout, /^tap0 +tap +up .* port of k6t-eth0, owner 107, group 107, single queue, not open$/m);
  t.match(stdout, /^eth0 .* down .* 10\.1\.0\.2\/24, fd00:1::2\/64, guest's address holder$/m);
  t.match(stdout, /No problems found/);
  t.notMatch(stdout, "\x1b", "plain in a pipe");
  t.match(await document(), { status: 0, healthy: true, findings: [] });
});

t.test("diagnose of a plugin names vmnet, which has the command now", async (t) => {
  for (const plugin of ["bridge-binding", "passt-binding", "sriov-vfio"]) {
    const { exitCode, stdout, stderr } = await execa(`${dist}/${plugin}`, ["diagnose", "4711"], { reject: false });

    t.same([exitCode, stdout], [2, ""]);
    t.match(stderr, `${plugin}: diagnose: moved to vmnet, in the same directory; run vmnet diagnose`);
  }
});

t.test("vmnet refuses to run as a CNI plugin", async (t) => {
  for (const verb of ["ADD", "DEL", "VERSION"]) {
    const { status, error } = await callPlugin("vmnet", verb, { containerId: "c", netns: "/nowhere", ifname: "eth0" });

    t.match({ status, error }, { status: 1, error: { code: 7, msg: "type: vmnet is not a CNI plugin" } }, verb);
  }
});

t.test("diagnose changes neither the pod nor its records", async (t) => {
  // Use IPv4 only: the kernel finishes some work for IPv6 at any later time.
  const { pod, binding, dataDir, findings } = await patientOf(t, "bridge-binding", { families: "ipv4" });
  const recorded = async () => [await binding.journal(), await readFile(`${dataDir}/${(await binding.journal())[0]}`)];
  for (const spoil of ["link set lo up", "link set tap0 down nomaster"]) {
    await ip(pod.namespace, spoil);
    const before = [await snapshot(pod.namespace), await recorded()] as const;
    t.equal((await findings()).length > 0, spoil.includes("tap0"));
    t.same(differences(before[0], await snapshot(pod.namespace)), []);
    t.same(await recorded(), before[1]);
  }
});

t.test("diagnose reports exactly the broken links, addresses and sysctls", async (t) => {
  const { pod, network, document, findings } = await patientOf(t);
  const macs = { guest: network.mac, tap: (await links(pod.namespace)).get("tap0")!.address };
  for (const [name, { break: spoil, heal, found }] of Object.entries(breakages)) {
    await spoil(pod.namespace, macs);
    const { findings: all, status, healthy } = await document();
    const shown = all.map(({ code, subject }) => `${code} ${subject}`);
    t.same({ shown: shown.sort(), status, healthy }, { shown: [...found].sort(), status: 1, healthy: false }, name);
    for (const { fact, remedy } of all) t.ok(fact !== "" && remedy !== "", name);
    await heal(pod.namespace, macs);
    t.same(await findings(), [], `${name}, healed`);
  }
});

t.test("diagnose prints remedies that repair the pod", async (t) => {
  const { pod, document, findings } = await patientOf(t);
  await ip(pod.namespace, "link set tap0 down nomaster mtu 1400", "address del 10.1.0.2/24 dev eth0");
  const { findings: found } = await document();
  t.equal(found.length, 4);
  for (const { remedy } of found) await execa("sh", ["-c", remedy]);
  t.same(await findings(), []);
});

t.test("diagnose shows a guest at the tap, and reports one with another MAC address", async (t) => {
  const { pod, network, document, findings } = await patientOf(t);
  const { namespace } = pod;
  const ips = ["10.1.0.2"];
  const guest = await startGuest(t, { namespace, tap: "tap0", mac: network.mac, ips });
  t.ok(await guest.ping("10.1.0.1"));
  // The harness's guest opens the tap without vnet_hdr, unlike QEMU with virtio.
  const { findings: found, wires } = await document();
  t.match(found, [{ code: "tap-offload", subject: "tap0" }]);
  t.match(wires[0]!.links.find(({ role }) => role === "podLink")!.details, ["10.1.0.2/24", /./, /./, "seen at tap0"]);
  const tap = wires[0]!.links.find(({ role }) => role === "tap")!;
  t.match(tap, { carrier: true, details: [/port/, /owner/, /group/, /single/, /^open in python3? \(\d+\)$/] });
  await guest.stop();

  await ip(namespace, "link set tap0 down", "link set tap0 up");
  const other = await startGuest(t, { namespace, tap: "tap0", mac: "02:00:00:00:99:99", ips });
  t.ok(await other.resolve("10.1.0.1"));
  t.same(await findings(), ["tap-offload tap0", "mac-unseen tap0"]);
  await other.stop();
});

t.test("diagnose reports missing, pending and unreadable records", async (t) => {
  const { findings, dataDir, binding } = await patientOf(t);
  const [file] = await binding.journal();
  await rename(`${dataDir}/${file}`, `${dataDir}/${file!.replace(".json", ".pending")}`);
  t.match(await findings(), [/^record-pending .*\/net1$/]);
  await mkdir(`${dataDir}/other`, { mode: 0o700 });
  await writeFile(`${dataDir}/other/net1.json`, "{");
  t.match(await findings(), [/^record-pending/, /^record-unreadable .*other\/net1\.json$/]);
  await unlink(`${dataDir}/${file!.replace(".json", ".pending")}`);
  await unlink(`${dataDir}/other/net1.json`);
  t.match(await findings(), [/^record-missing /]);
});

t.test("diagnose reports deleted links by their names", async (t) => {
  const { pod, findings } = await patientOf(t);
  await ip(pod.namespace, "link del tap0");
  t.same(await findings(), ["tap-missing tap0"]);
  await ip(pod.namespace, "link del eth0");
  t.same((await findings()).sort(), ["pod-link-missing eth0", "tap-missing tap0"]);
  await ip(pod.namespace, "link del eth0-nic");
  t.same((await findings()).sort(), ["nic-missing eth0-nic", "pod-link-missing eth0", "tap-missing tap0"]);
  await ip(pod.namespace, "link del k6t-eth0");
  t.same((await findings()).sort(), [
    "bridge-missing k6t-eth0",
    "pod-link-missing eth0",
    "record-differs eth0-nic",
    "record-differs tap0",
  ]);
});

t.test("diagnose reports a tap that libvirt cannot open", async (t) => {
  const { pod, findings } = await patientOf(t, "bridge-binding", { netconf: { owner: 1000 } });
  t.same(await findings(), ["tap-owner tap0"]);
  await ip(
    pod.namespace,
    "link del tap0",
    "link add tap0 type veth peer name other",
    "link set tap0 master k6t-eth0 up",
  );
  t.ok((await findings()).includes("tap-type tap0"));
});

t.test("diagnose draws all networks of a pod, each with its own links", async (t) => {
  const { pod, dataDir, document } = await patientOf(t);
  await pod.attach({ kind: "bridge", ifname: blue });
  const netconf = { queues: 2 };
  await (await attachmentOf(t, "bridge-binding", pod, { dataDir, ifname: "net2", netconf })).add();
  // `diagnose` also reads each plugin's default directory.
  const passt = await attachmentOf(t, "passt-binding", pod, { dataDir: "/run/passt-binding", ifname: "net3" });
  t.teardown(() => passt.del());
  await passt.add();
  await pod.attach({ kind: "bridge", ifname: "eth7" });
  const { wires, findings, status } = await document();
  t.match({ findings, status }, { findings: [], status: 0 });
  t.match(
    wires.map(({ kind, names, attachment }) => [kind, names.podLink, attachment?.ifname]),
    [
      ["bridge", "eth0", "net1"],
      ["bridge", blue, "net2"],
      ["passt", "eth7", "net3"],
    ],
  );
  t.match(wires[1]!.names, { bridge: "k6t-16477688c0e", nic: "16477688c0e-nic", tap: "tap16477688c0e" });
  t.match(wires[1]!.links.find(({ role }) => role === "tap")!.tap, { multiQueue: true });
  const { stdout } = await diagnose(["--data-dir", dataDir, pod.namespace.path]);
  t.match(stdout, "network ─── 16477688c0e-nic ─── k6t-16477688c0e ─── tap16477688c0e ┄┄┄ guest");
  t.match(stdout, "network ─── eth7 ─── passt ─── guest");
});

t.test("diagnose draws a managedTap bridge before and after KubeVirt's setup", async (t) => {
  const { pod, network, document, dataDir } = await patientOf(t, "bridge-binding", {
    netconf: { attachment: "managedTap" },
  });
  const before = await document();
  t.match(before, { healthy: true, wires: [{ kind: "prepared", maker: "bridge-binding" }] });
  const { stdout } = await diagnose(["--data-dir", dataDir, pod.namespace.path]);
  t.match(stdout, /^network ─── eth0 {3}k6t-eth0 ┄┄┄ for KubeVirt's NIC and tap/);
  await asKubevirtDoes(pod.namespace, network);
  const after = await document();
  t.same(after.findings, []);
  t.match(after.wires, [{ kind: "bridge", maker: "KubeVirt on bridge-binding's bridge" }]);
  await ip(pod.namespace, "link del tap0");
  t.match((await document()).findings, [{ code: "tap-missing", remedy: /virt-handler/ }]);
});

t.test("diagnose finds nothing on any kind of network, except a primary link without addresses", async (t) => {
  for (const [network, netconf] of [
    [{ kind: "ptp", families: "dual" }, {}],
    [{ kind: "macvlan", families: "dual" }, {}],
    [{ kind: "bridge", families: "ipv6" }, {}],
    [{ kind: "bridge", families: "dual" }, { keepPodAddresses: false }],
    [
      { kind: "veth", addresses: ["10.7.0.2/32"], mtu: 9000 },
      { mtu: 1400, bridgeAddress: "none" },
    ],
  ] as const) {
    const { document } = await patientOf(t, "bridge-binding", { ...network, netconf });
    t.same((await document()).findings, [], JSON.stringify(network));
  }
  const { findings } = await patientOf(t, "bridge-binding", { kind: "veth", addresses: [] });
  t.same(await findings(), ["address-none eth0"]);
});

t.test("diagnose draws KubeVirt's masquerade, and reports disabled forwarding", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge" });
  await ip(
    pod.namespace,
    "link add k6t-eth0 address 02:00:00:00:00:00 type bridge",
    "address add 10.0.2.1/24 dev k6t-eth0",
    "link set k6t-eth0 up",
    "tuntap add tap0 mode tap user 107 group 107",
    "link set tap0 master k6t-eth0 up",
  );
  await writeSysctls(pod.namespace, { "net/ipv4/ip_forward": "1" });
  const { status, stdout } = await diagnose([pod.namespace.path]);
  t.equal(status, 0);
  t.match(stdout, /^network ─── eth0 ─NAT─ k6t-eth0 ─── tap0 ┄┄┄ guest {4}KubeVirt$/m);
  await writeSysctls(pod.namespace, { "net/ipv4/ip_forward": "0" });
  t.match(await diagnose([pod.namespace.path]), { status: 1, stdout: /ip_forward: is 0.* \[forwarding-off\]/ });
});

t.test("diagnose reports a running call in the pod after waiting for it", async (t) => {
  const { pod, findings } = await patientOf(t);
  // As version 0.1.0 does.
  const lock = ["--no-fork", "--exclusive", pod.namespace.path];
  const holder = execa("flock", [...lock, "sh", "-c", "echo; exec cat"], { stdin: "pipe", buffer: false });
  t.teardown(() => holder.stdin.end());
  await once(holder.stdout, "data");
  t.same(await findings(), [`another-call ${pod.namespace.path}`]);
  holder.stdin.end();
  await holder;
  t.same(await findings(), []);
});

t.test("diagnose reports a record of an earlier namespace with the same path", async (t) => {
  const { findings, dataDir, binding } = await patientOf(t);
  const [file] = await binding.journal();
  const entry = JSON.parse(await readFile(`${dataDir}/${file}`, "utf8"));
  const netns = { ...entry.netns, inode: 1, ...(entry.netns.cookie && { cookie: "1" }) };
  await writeFile(`${dataDir}/${file}`, JSON.stringify({ ...entry, netns }));
  t.match(await findings(), [/^record-stale .*\/net1$/]);
});

t.test("diagnose draws a bridge that KubeVirt created as KubeVirt's", async (t) => {
  const pod = await createPod(t);
  const network = await pod.attach({ kind: "bridge", families: "dual" });
  await ip(pod.namespace, "link add k6t-eth0 type bridge", "link set k6t-eth0 up");
  await asKubevirtDoes(pod.namespace, network);
  await writeSysctls(pod.namespace, { [arpIgnore]: "1" });
  const { status, stdout } = await diagnose(["--json", pod.namespace.path]);
  t.equal(status, 0, stdout);
  t.match(JSON.parse(stdout), { wires: [{ kind: "bridge", maker: "KubeVirt" }], findings: [] });
});
