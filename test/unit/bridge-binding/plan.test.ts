import { createHash } from "node:crypto";
import t from "tap";
import { factText } from "../../../lib/fact.ts";
import { linkNames } from "../../../lib/kubevirt/names.ts";
import { apply, undo } from "../../../lib/plan/apply.ts";
import { type Change, expectation } from "../../../lib/plan/change.ts";
import { differences } from "../../../lib/plan/differences.ts";
import type { ObservedLink, State } from "../../../lib/plan/state.ts";
import { undoing } from "../../../lib/plan/step.ts";
import type { Conf } from "../../../plugins/bridge-binding/netconf.ts";
import { obstacles, plan, type Situation } from "../../../plugins/bridge-binding/plan.ts";
import { fc } from "../../harness/fast-check.ts";
import { allOrNothing, MemoryKernel } from "../plan/memory-kernel.ts";
import { picture } from "../plan/picture.ts";
import { address, eth0, link, pod, route } from "../plan/pods.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

const defaults: Conf = {
  primaryInterface: "eth0",
  owner: 107,
  group: 107,
  queues: 1,
  portIsolation: false,
  bridgeAddress: "auto",
  keepPodAddresses: true,
  attachment: "tap",
  dataDir: "/run/bridge-binding",
};

function situation(conf: Partial<Conf> = {}, state: State = pod(), more: Partial<Situation> = {}): Situation {
  return {
    conf: { ...defaults, ...conf },
    names: linkNames("eth0", true, sha256),
    state,
    bridgeMac: "02:00:00:00:00:01",
    tapMac: "02:00:00:00:00:02",
    selinux: false,
    placeholder: "dummy",
    ...more,
  };
}

/** The state that the plan makes of a pod. */
function performed(from: Situation): MemoryKernel {
  const kernel = new MemoryKernel(from.state);
  apply(plan(from), kernel, from.state);
  return kernel;
}

function linkNamed(kernel: MemoryKernel, name: string): ObservedLink {
  const found = kernel.state.links.find((link) => link.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

t.test("the end state is KubeVirt's", async (t) => {
  const kernel = performed(situation());
  const [bridge, nic, tap, placeholder] = ["k6t-eth0", "eth0-nic", "tap0", "eth0"].map((name) =>
    linkNamed(kernel, name),
  );
  t.match(bridge, { kind: "bridge", up: true, ipv6: false, mac: "02:00:00:00:00:01", mtu: 1450 });
  t.match(nic, {
    index: 2,
    up: true,
    ipv6: false,
    mac: bridge?.mac,
    master: "k6t-eth0",
    mtu: 1450,
    port: { learning: false },
  });
  t.match(tap, {
    kind: "tap",
    up: true,
    ipv6: false,
    master: "k6t-eth0",
    mtu: 1450,
    tap: { owner: 107, group: 107, multiQueue: false },
  });
  t.match(placeholder, { kind: "dummy", up: false, mac: eth0.mac, mtu: 1450 });
  t.same([nic?.addresses, nic?.routes, nic?.neighbors], [[], [], []]);
  t.same(
    placeholder?.addresses.map(({ message }) => message.local),
    ["10.244.0.7", "10.244.0.8", "fd00::7"],
    "what the guest is given, and no link-local address",
  );
  t.same(
    bridge?.addresses.map(({ message }) => `${message.local}/${message.prefixLength}`),
    ["169.254.75.10/32"],
  );
  t.equal(kernel.state.sysctls["net.ipv4.conf.all.arp_ignore"], "1");
});

t.test("a pod without IPv4 gets neither KubeVirt's bridge address nor arp_ignore", async (t) => {
  const kernel = performed(situation({}, pod([{ ...eth0, addresses: [address("fd00::7/64")] }])));
  t.same(linkNamed(kernel, "k6t-eth0").addresses, []);
  t.equal(kernel.state.sysctls["net.ipv4.conf.all.arp_ignore"], "0");
});

t.test("a stricter arp_ignore is kept", async (t) => {
  const kernel = performed(situation({}, pod([eth0], { "net.ipv4.conf.all.arp_ignore": "2" })));
  t.equal(kernel.state.sysctls["net.ipv4.conf.all.arp_ignore"], "2");
});

t.test("a second bridge takes KubeVirt's next address", async (t) => {
  const other = link({ name: "k6t-16477688c0e", index: 7, kind: "bridge", addresses: [address("169.254.75.10/32")] });
  const kernel = performed(situation({}, pod([eth0, other])));
  t.equal(linkNamed(kernel, "k6t-eth0").addresses[0]?.message.local, "169.254.75.11");
});

t.test("a macvlan keeps the guest's MAC address, and the bridge sends it to the tap", async (t) => {
  const kernel = performed(situation({}, pod([{ ...eth0, kind: "macvlan" }])));
  t.equal(linkNamed(kernel, "eth0-nic").mac, eth0.mac);
  t.same(linkNamed(kernel, "tap0").port?.stations, [eth0.mac]);
});

t.test("vlan is untagged towards the guest and tagged towards the network", async (t) => {
  const kernel = performed(situation({ vlan: 100, vlanTrunk: [{ minID: 200, maxID: 210 }, { id: 211 }] }));
  t.equal(linkNamed(kernel, "k6t-eth0").bridge?.vlanFiltering, true);
  t.same(linkNamed(kernel, "tap0").port?.vlans, [
    { first: 100, last: 100, pvid: true, untagged: true },
    { first: 200, last: 211, pvid: false, untagged: false },
  ]);
  t.same(linkNamed(kernel, "eth0-nic").port?.vlans, [
    { first: 100, last: 100, pvid: false, untagged: false },
    { first: 200, last: 211, pvid: false, untagged: false },
  ]);
});

t.test("managedTap prepares the bridge and leaves the pod's link alone", async (t) => {
  const kernel = performed(situation({ attachment: "managedTap" }));
  t.same(
    kernel.state.links.map(({ name }) => name),
    ["lo", "eth0", "k6t-eth0"],
  );
  t.same(linkNamed(kernel, "eth0"), eth0);
  t.same(linkNamed(kernel, "k6t-eth0").addresses, []);
});

t.test("without keepPodAddresses, the placeholder has no addresses", async (t) => {
  t.same(linkNamed(performed(situation({ keepPodAddresses: false })), "eth0").addresses, []);
});

const variants: Partial<Conf>[] = [
  {},
  { attachment: "managedTap" },
  { queues: 4, mtu: 1400, portIsolation: true },
  { vlan: 5, vlanTrunk: [{ id: 6 }] },
  { bridgeAddress: "none", keepPodAddresses: false },
];
const links: Partial<ObservedLink>[] = [
  {},
  { kind: "macvlan" },
  { up: false, routes: [] },
  { ipv6: false, addresses: [address("10.0.0.2/32")], routes: [] },
  { addresses: [], routes: [], neighbors: [] },
  { ipv6Mtu: 1400 },
];
const cases = fc.record({ conf: fc.constantFrom(...variants), nic: fc.constantFrom(...links) });

function podOf(nic: Partial<ObservedLink>): State {
  return pod([{ ...eth0, ...nic }]);
}

t.test("CHECK finds no difference after ADD", async () => {
  fc.assert(
    fc.property(cases, ({ conf, nic }) => {
      const from = situation(conf, podOf(nic));
      const found = differences(expectation(plan(from)), performed(from).state).map(factText);
      if (found.length > 0) throw new Error(found.join("; "));
    }),
  );
});

t.test("ADD then DEL is the identity", async (t) => {
  fc.assert(
    fc.property(cases, ({ conf, nic }) => {
      const from = situation(conf, podOf(nic));
      const kernel = performed(from);
      t.same(undo(plan(from), kernel), []);
      t.same(picture(kernel.state), picture(from.state));
    }),
  );
});

/** How many steps the whole plan takes. */
function length(from: Situation): number {
  return performed(from).performed;
}

t.test("a failure at any step leaves the state as it was", async (t) => {
  for (const conf of variants)
    for (const nic of links) {
      const from = situation(conf, podOf(nic));
      for (let failing = 0; failing < length(from); failing++) {
        const kernel = new MemoryKernel(from.state);
        kernel.before = (position) => {
          if (position === failing) throw new Error("refused");
        };
        t.throws(() => allOrNothing(plan(from), kernel, from.state), {
          message: "refused",
        });
        t.same(picture(kernel.state), picture(from.state), `failure at step ${failing}`);
      }
    }
});

t.test("undoing after a crash at any step, itself crashing at any step, leaves the state as it was", async (t) => {
  const crash = (kernel: MemoryKernel, at: number, work: () => void): void => {
    kernel.performed = 0;
    kernel.before = (position) => {
      if (position >= at) throw new Error("killed");
    };
    try {
      work();
    } catch (killed) {
      if (!(killed instanceof AggregateError) && (killed as Error).message !== "killed") throw killed;
    }
    kernel.before = undefined;
  };
  for (const nic of links) {
    const from = situation({}, podOf(nic));
    const changes: Change[] = plan(from);
    for (let first = 0; first <= length(from); first++)
      for (let second = 0; second < 12; second++) {
        const kernel = new MemoryKernel(from.state);
        crash(kernel, first, () => apply(changes, kernel, from.state));
        crash(kernel, second, () => undo(changes, kernel));
        t.same(undo(changes, kernel), []);
        t.same(picture(kernel.state), picture(from.state), `killed at step ${first}, then at ${second}`);
      }
  }
});

t.test("DEL twice changes nothing", async (t) => {
  const from = situation();
  const kernel = performed(from);
  undo(plan(from), kernel);
  const steps = kernel.performed;
  t.same(undo(plan(from), kernel), []);
  t.equal(kernel.performed, steps);
});

t.test("DEL never removes a link that has our name but not our mark", async (t) => {
  const from = situation();
  const kernel = performed(from);
  kernel.state = {
    ...kernel.state,
    links: kernel.state.links.map((link) => (link.name === "tap0" ? { ...link, mark: 0 } : link)),
  };
  undo(plan(from), kernel);
  t.ok(kernel.state.links.some(({ name }) => name === "tap0"));
  t.notOk(kernel.state.links.some(({ name }) => name === "k6t-eth0"));
});

t.test("DEL keeps a sysctl that another process changed after ADD", async (t) => {
  const from = situation();
  const kernel = performed(from);
  kernel.state = { ...kernel.state, sysctls: { "net.ipv4.conf.all.arp_ignore": "8" } };
  undo(plan(from), kernel);
  t.equal(kernel.state.sysctls["net.ipv4.conf.all.arp_ignore"], "8");
});

t.test("CHECK names each difference", async (t) => {
  const from = situation();
  const kernel = performed(from);
  kernel.state = {
    links: kernel.state.links
      .filter(({ name }) => name !== "eth0")
      .map((link) => {
        if (link.name === "tap0") return { ...link, up: false, tap: { owner: 0, multiQueue: false } };
        if (link.name === "eth0-nic") return { ...link, port: { ...link.port!, learning: true }, ipv6: true };
        return link.name === "k6t-eth0" ? { ...link, addresses: [] } : link;
      }),
    sysctls: {
      ...kernel.state.sysctls,
      "net.ipv4.conf.all.arp_ignore": "0",
      "net.ipv4.conf.k6t-eth0.forwarding": "1",
    },
  };
  t.same(differences(expectation(plan(from)), kernel.state).map(factText), [
    "k6t-eth0: address 169.254.75.10/32 is missing",
    "net.ipv4.conf.k6t-eth0.forwarding: is 1, not 0",
    "eth0-nic: IPv6 is on, not off",
    "eth0-nic: learning is on, not off",
    "tap0: is down, not up",
    "tap0: owner is 0, not 107",
    "tap0: group is none, not 107",
    "eth0: is missing",
    "net.ipv4.conf.all.arp_ignore: is 0, not 1",
  ]);
});

t.test("obstacles names what is in the way", async (t) => {
  const names = (state: State, conf: Partial<Conf> = {}): string[] => obstacles(situation(conf, state));
  t.same(names(pod()), []);
  t.match(names(pod([])), ["eth0: is not in the namespace, which has lo"]);
  t.match(names(pod([{ ...eth0, kind: "ipvlan" }])), [/eth0: is an ipvlan/]);
  t.match(names(pod([{ ...eth0, master: "br0" }])), ["eth0: is already a port of br0"]);
  t.match(names(pod([eth0, link({ name: "tap0", kind: "tap" })])), [/tap0: name in use by a tap that is not ours/]);
  t.match(names(pod([eth0, link({ name: "k6t-eth0", kind: "bridge" })])), [
    /k6t-eth0: name in use by a bridge that is not ours/,
  ]);
  t.match(names(pod(), { mtu: 9000 }), [/mtu: 9000 is more than the 1450 of eth0/]);
  t.match(names(pod(), { mtu: 1000 }), [/mtu: 1000 is less than 1280/]);
  const narrow = { ...route("0.0.0.0/0", "10.244.0.1"), metrics: { mtu: 1000 } };
  t.match(names(pod([{ ...eth0, routes: [narrow] }])), [/eth0: the MTU 1000 of a route is less than 1280/]);
  t.match(names(pod([{ ...eth0, mtu: 65535 }])), [/eth0: its MTU 65535 is more than the 65521/]);
  t.match(names(pod(), { selinuxContext: "a:b:c:s0" }), [/selinuxContext: the node has no SELinux/]);
  t.same(names(pod([{ ...eth0, addresses: [address("fe80::1/64"), address("10.0.0.2/24")] }]), { mtu: 1000 }), []);
  const { mac: _, ...bare } = eth0;
  t.match(names(pod([bare])), ["eth0: is not an Ethernet link"]);
});

t.test("the pod answers no ARP request for the guest, whatever the node's settings are", async (t) => {
  for (const [present, expected] of [
    ["0", "1"],
    ["1", "1"],
    ["3", "3"],
    ["8", "8"],
    ["9", "8"],
  ]) {
    const kernel = performed(situation({}, pod([eth0], { "net.ipv4.conf.all.arp_ignore": present! })));
    t.match(kernel.state.sysctls, {
      "net.ipv4.conf.all.arp_ignore": expected,
      "net.ipv4.conf.k6t-eth0.arp_ignore": "8",
      "net.ipv4.conf.k6t-eth0.forwarding": "0",
      "net.ipv4.conf.k6t-eth0.proxy_arp": "0",
    });
  }
});

t.test("bridged frames do not pass the pod's firewall, and DEL restores the switch", async (t) => {
  const key = "net.bridge.bridge-nf-call-iptables";
  const from = situation({}, pod([eth0], { "net.ipv4.conf.all.arp_ignore": "0", [key]: "1" }));
  const kernel = performed(from);
  t.equal(kernel.state.sysctls[key], "0");
  undo(plan(from), kernel);
  t.equal(kernel.state.sysctls[key], "1");
});

t.test("the guest's MTU is that of a default or on-link route if it is smaller than the link's", async (t) => {
  const limited = (destination: string, mtu: number, gateway?: string) => ({
    ...route(destination, gateway),
    metrics: { mtu },
  });
  for (const [routes, expected] of [
    [[limited("0.0.0.0/0", 1400, "10.244.0.1")], 1400],
    [[limited("::/0", 1390, "fd00::1"), limited("0.0.0.0/0", 1400, "10.244.0.1")], 1390],
    [[limited("10.0.0.0/8", 1300)], 1300],
    [[limited("10.0.0.0/8", 1300, "10.244.0.1")], 1450],
    [[limited("0.0.0.0/0", 9000, "10.244.0.1")], 1450],
    // A route of another link whose source is an address of this one.
    [[{ ...limited("10.0.0.0/8", 1300), oif: eth0.index + 1 }], 1450],
  ] as const) {
    const kernel = performed(situation({}, pod([{ ...eth0, routes }])));
    for (const name of ["k6t-eth0", "tap0", "eth0"])
      t.equal(kernel.state.links.find((link) => link.name === name)?.mtu, expected, name);
    const set = performed(situation({ mtu: 1280 }, pod([{ ...eth0, routes }])));
    t.equal(set.state.links.find(({ name }) => name === "tap0")?.mtu, 1280);
  }
});

t.test("a NIC of the node keeps the guest's MAC address: its switch knows no other", async (t) => {
  const kernel = performed(situation({}, pod([{ ...eth0, kind: "", parent: "0000:3b:02.6" }])));
  const found = (name: string) => kernel.state.links.find((link) => link.name === name);
  t.equal(found("eth0-nic")?.mac, eth0.mac);
  t.same(found("tap0")?.port?.stations, [eth0.mac]);
});

t.test("an address that another host has is not the guest's, and the kernel checks it again after DEL", async (t) => {
  const duplicate = { ...address("fd00::9/64"), duplicate: true };
  const from = situation({}, pod([{ ...eth0, addresses: [...eth0.addresses, duplicate] }]));
  const kernel = performed(from);
  t.notOk(kernel.state.links.find(({ name }) => name === "eth0")?.addresses.some((one) => one.duplicate));
  const restored = undoing(plan(from), kernel.state).flat();
  t.match(
    restored.filter((step) => step.do === "assign").map((step) => [step.address.message.local, step.settled]),
    [
      ["10.244.0.7", true],
      ["10.244.0.8", true],
      ["fd00::7", true],
      ["fe80::858:aff:fef4:7", true],
      ["fd00::9", false],
    ],
  );
});

t.test("obstacles names what would be lost", async (t) => {
  const faults = (more: Partial<ObservedLink>, others: readonly ObservedLink[] = []): string[] =>
    obstacles(situation({}, pod([{ ...eth0, ...more }, ...others])));
  t.match(faults({ nexthops: [7, 8] }), [/nexthop objects 7, 8 lead out of it/]);
  t.match(faults({ standing: ["eth0.100"] }), [/eth0: eth0\.100 stands on it/]);
  t.match(faults({ otherNames: ["eth0-nic"] }), [/^eth0-nic: name in use: it is an alternative name of eth0$/]);
  t.match(faults({}, [link({ name: "x", index: 9, otherNames: ["tap0"] })]), [/^tap0: .* of x$/]);
});
