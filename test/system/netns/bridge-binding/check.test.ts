import { execa } from "execa";
import t from "tap";
import type { Netconf } from "../../../harness/attachment.ts";
import { sampled } from "../../../harness/faults.ts";
import { ip, writeSysctls } from "../../../harness/ip.ts";
import { createPod, type NetworkOptions, type Pod } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { settledDifferences } from "../../../harness/snapshot.ts";
import { bindingOf } from "./binding.ts";
import { steady } from "./steady.ts";

const content = { status: 0, stdout: "", stderr: "" };

/** Creates a pod on one network and adds its attachment. */
async function bound(t: Scope, attach: NetworkOptions = { kind: "bridge", families: "dual" }, netconf: Netconf = {}) {
  const pod = await createPod(t);
  const network = await pod.attach(attach);
  const binding = await bindingOf(t, pod, { netconf });
  await binding.add();
  return { pod, network, binding };
}

const port = (pod: Pod, ...words: string[]) => execa("bridge", ["-n", pod.namespace.name, ...words]);
const link = (command: string) => (pod: Pod) => ip(pod.namespace, command);
const sysctl = (path: string, value: string) => (pod: Pod) => writeSysctls(pod.namespace, { [path]: value });

/** The name of a breakage, the function that causes it, and the message that CHECK reports. */
const breakages: [what: string, (pod: Pod) => Promise<unknown>, words: RegExp][] = [
  ["the tap is deleted", link("link del tap0"), /tap0: is missing/],
  ["the bridge is deleted", link("link del k6t-eth0"), /k6t-eth0: is missing/],
  ["the placeholder is deleted", link("link del eth0"), /eth0: is missing/],
  ["the NIC is taken out of the bridge", link("link set eth0-nic nomaster"), /eth0-nic: master is none, not k6t-eth0/],
  ["the tap is taken out of the bridge", link("link set tap0 nomaster"), /tap0: master is none, not k6t-eth0/],
  ["the tap is down", link("link set tap0 down"), /tap0: is down, not up/],
  ["the bridge is down", link("link set k6t-eth0 down"), /k6t-eth0: is down, not up/],
  ["the NIC is down", link("link set eth0-nic down"), /eth0-nic: is down, not up/],
  ["the placeholder is up", link("link set eth0 up"), /eth0: is up, not down/],
  [
    "the placeholder, where KubeVirt looks for the guest's MAC, has another",
    link("link set eth0 address 02:00:00:00:00:99"),
    /eth0: MAC is 02:00:00:00:00:99, not [0-9a-f:]{17}/,
  ],
  [
    "the NIC has another MAC",
    link("link set eth0-nic address 02:00:00:00:00:99"),
    /eth0-nic: MAC is 02:00:00:00:00:99, not /,
  ],
  ["the tap has another MTU", link("link set tap0 mtu 1400"), /tap0: MTU is 1400, not 1500/],
  ["the placeholder has another MTU", link("link set eth0 mtu 1400"), /eth0: MTU is 1400, not 1500/],
  [
    "the NIC learns",
    (pod) => port(pod, "link", "set", "dev", "eth0-nic", "learning", "on"),
    /eth0-nic: learning is on/,
  ],
  [
    "an IPv4 address is removed from the placeholder",
    link("address del 10.1.0.2/24 dev eth0"),
    /eth0: address 10\.1\.0\.2\/24 is missing/,
  ],
  [
    "an IPv6 address is removed from the placeholder",
    link("address del fd00:1::2/64 dev eth0"),
    /eth0: address fd00:1::2\/64 is missing/,
  ],
  [
    "the bridge has lost its address",
    link("address flush dev k6t-eth0"),
    /k6t-eth0: address 169\.254\.75\.10\/32 is missing/,
  ],
  [
    "the pod answers for the guest's address",
    sysctl("net/ipv4/conf/all/arp_ignore", "0"),
    /net\.ipv4\.conf\.all\.arp_ignore: is 0, not 1/,
  ],
  ["IPv6 is on on the bridge", sysctl("net/ipv6/conf/k6t-eth0/disable_ipv6", "0"), /k6t-eth0: IPv6 is on, not off/],
  ["IPv6 is on on the tap", sysctl("net/ipv6/conf/tap0/disable_ipv6", "0"), /tap0: IPv6 is on, not off/],
  [
    "the tap is somebody else's",
    link("link del tap0\ntuntap add tap0 mode tap user 1 group 2\nlink set tap0 up master k6t-eth0"),
    /tap0: .*owner is 1, not 107.*group is 2, not 107/,
  ],
  [
    "the tap is multi-queue",
    link("link del tap0\ntuntap add tap0 mode tap user 107 group 107 multi_queue\nlink set tap0 up master k6t-eth0"),
    /tap0: .*multi-queue is on, not off/,
  ],
  [
    "the tap is no tap",
    link("link del tap0\nlink add tap0 type veth peer name far\nlink set tap0 up master k6t-eth0"),
    /tap0: kind is veth, not tap/,
  ],
  [
    "the NIC is renamed",
    // Set the link down first: before Linux 6.2 the kernel refuses to rename a link that is up.
    link("link set eth0-nic down\nlink set eth0-nic name other\nlink set other up"),
    /eth0-nic: name is other, not eth0-nic/,
  ],
];
t.test("CHECK names a difference and changes nothing", async (t) => {
  for (const [what, breakIt, words] of sampled(t, breakages)) {
    const { pod, binding } = await bound(t);
    await breakIt(pod);
    const before = await steady(pod);
    t.match(await binding.check(), { status: 1, error: { code: 101, msg: words } }, what);
    t.same(await settledDifferences(pod.namespace, before), []);
  }
});

t.test("CHECK names a tap that should be isolated but is not", async (t) => {
  const { pod, binding } = await bound(t, { kind: "bridge" }, { portIsolation: true });
  await port(pod, "link", "set", "dev", "tap0", "isolated", "off");
  t.match(await binding.check(), { status: 1, error: { code: 101, msg: /tap0: isolation is off, not on/ } });
});

t.test("CHECK names a missing forwarding entry of the guest behind a macvlan", async (t) => {
  const { pod, network, binding } = await bound(t, { kind: "macvlan" });
  t.match(await binding.check(), content);
  await port(pod, "fdb", "del", network.mac, "dev", "tap0", "master");
  t.match(await binding.check(), { status: 1, error: { code: 101, msg: new RegExp(`tap0: .*${network.mac}`) } });
});

t.test("CHECK names all differences at once", async (t) => {
  const { pod, binding } = await bound(t);
  await ip(pod.namespace, "link set tap0 down mtu 1400", "link del eth0");
  const { error } = await binding.check();
  for (const words of [/tap0: is down, not up/, /tap0: MTU is 1400/, /eth0: is missing/]) t.match(error!.msg, words);
});

t.test("CHECK succeeds after ADD with every network and option", async (t) => {
  const options: Netconf[] = [
    {},
    { queues: 4, mtu: 1400, mac: "02:00:00:00:77:01", portIsolation: true },
    { bridgeAddress: "none", keepPodAddresses: false, owner: 0, group: 0 },
    { attachment: "managedTap" },
  ];
  for (const netconf of options)
    for (const kind of ["bridge", "ptp", "macvlan"] as const)
      for (const cniVersion of ["0.4.0", "1.0.0", "1.1.0"]) {
        const { binding } = await bound(t, { kind, families: "dual" }, { ...netconf, cniVersion });
        t.match(await binding.check(), content, `${kind}, ${cniVersion}: ${JSON.stringify(netconf)}`);
        if (cniVersion === "0.4.0" && kind !== "bridge") break;
      }
});

t.test("CHECK ignores what later plugins and KubeVirt add", async (t) => {
  const { pod, binding } = await bound(t);
  await ip(
    pod.namespace,
    "address add 10.9.9.9/24 dev k6t-eth0",
    "address add 10.9.9.10/24 dev eth0",
    "link add net1 type veth peer name far",
    "link set far master k6t-eth0",
    "route add 10.77.0.0/16 dev k6t-eth0",
    "link set tap0 txqueuelen 77",
  );
  t.match(await binding.check(), content);
});
