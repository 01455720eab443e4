// Every finding, by the one thing about a healthy pod that is changed for it.
import { readFileSync } from "node:fs";
import t from "tap";
import { diagnosisOf } from "../../../lib/diagnosis/diagnosis.ts";
import { type Code, severities } from "../../../lib/diagnosis/finding.ts";
import type { PodSurvey, SurveyedVf } from "../../../lib/diagnosis/survey.ts";
import { address } from "../plan/pods.ts";
import {
  bridge,
  guestMac,
  healthy,
  masquerade,
  nic,
  passtRecord,
  placeholder,
  record,
  seen,
  sha256,
  tap,
  vf,
  withLink,
} from "./surveys.ts";

function findings(survey: PodSurvey) {
  return diagnosisOf(survey, sha256).findings;
}

/** Without what a record would say besides: for changes that nobody but KubeVirt made. */
function unrecorded(survey: PodSurvey): PodSurvey {
  return { ...survey, records: [], links: survey.links.map((link) => ({ ...link, mark: 0 })) };
}

function withVf(more: Partial<SurveyedVf>): PodSurvey {
  return { ...healthy, vfs: [{ ...vf, ...more }] };
}

const isolated = { ...nic.port!, isolated: true };
const macvlan = withLink("eth0-nic", { kind: "macvlan", mac: guestMac }, unrecorded(healthy));
const stationed = { ...tap.port!, stations: [guestMac] };
const filtering = withLink("k6t-eth0", { bridge: { vlanFiltering: true } }, unrecorded(healthy));
const access = [{ first: 100, last: 100, pvid: true, untagged: true }];
const { driver: _, ...driverless } = vf;
const { group: __, ...groupless } = vf;
const { pf: ___, ...pfless } = vf;

/** What is changed, and all that is found: code, subject, and something of what is said. */
const cases: readonly (readonly [what: string, survey: PodSurvey, ...found: (readonly [Code, string, RegExp])[]])[] = [
  [
    "another call at work",
    { ...healthy, busy: true },
    ["another-call", "/run/netns/blue", /state below may be incomplete/],
  ],
  [
    "a record that cannot be read",
    { ...healthy, unreadable: [{ subject: "/run/x/a/net1.json", fact: "is not a record: it does not parse" }] },
    ["record-unreadable", "/run/x/a/net1.json", /^is not a record: it does not parse$/],
  ],
  [
    "a record of another namespace",
    { ...healthy, records: [record, { ...passtRecord, here: false }] },
    ["record-stale", "/run/passt-binding/c1/net2", /was at this path before/],
  ],
  [
    "a record that is pending",
    { ...healthy, records: [{ ...record, pending: true }] },
    ["record-pending", "/run/bridge-binding/c1/net1", /was killed/],
  ],
  [
    "links of ours without a record",
    { ...healthy, records: [] },
    ["record-missing", "k6t-eth0, tap0, eth0", /DEL will not remove it/],
  ],
  [
    "a MAC address that is not as recorded",
    withLink("tap0", { mac: "02:00:00:00:00:99" }),
    ["record-differs", "tap0", /^MAC is 02:00:00:00:00:99, not 02:00:00:00:00:0a$/],
  ],
  ["no bridge", withLink("k6t-eth0", undefined), ["bridge-missing", "k6t-eth0", /NIC and tap are not connected/]],
  ["no NIC", withLink("eth0-nic", undefined), ["nic-missing", "eth0-nic", /does not lead to the network/]],
  ["no tap", withLink("tap0", undefined), ["tap-missing", "tap0", /no interface to attach to/]],
  ["no placeholder", withLink("eth0", undefined), ["pod-link-missing", "eth0", /virt-launcher fails/]],
  [
    "a tap that is no port",
    withLink("tap0", { master: "br7" }),
    ["not-a-port", "tap0", /^is a port of br7, not of k6t-eth0$/],
  ],
  ["a bridge that is down", withLink("k6t-eth0", { up: false }), ["link-down", "k6t-eth0", /no frame passes/]],
  [
    "a NIC without carrier",
    withLink("eth0-nic", { carrier: false }),
    ["no-carrier", "eth0-nic", /on the node, is down/],
  ],
  [
    "a port that listens",
    withLink("eth0-nic", { portState: 1 }),
    ["port-state", "eth0-nic", /^is listening on k6t-eth0/],
  ],
  [
    "ports that are isolated",
    withLink("tap0", { port: isolated }, withLink("eth0-nic", { port: { ...isolated, learning: false } })),
    ["port-isolated", "tap0", /so is eth0-nic/],
  ],
  [
    "a placeholder that is up",
    withLink("eth0", { up: true }),
    ["placeholder-up", "eth0", /routed into it and dropped/],
  ],
  [
    "a NIC of another name",
    unrecorded(withLink("eth0-nic", { name: "uplink" })),
    ["name-unexpected", "uplink", /^is not called eth0-nic/],
  ],
  [
    "a link named as before KubeVirt 1.0",
    {
      ...healthy,
      links: [...healthy.links, seen({ name: "pod16477688c0e" }), seen({ name: "net1" })],
    },
    ["name-ordinal", "net1", /beside pod16477688c0e/],
  ],
  ["a tap that is none", unrecorded(withLink("tap0", { kind: "veth" })), ["tap-type", "tap0", /^is a veth, not a tap/]],
  [
    "another owner",
    unrecorded(withLink("tap0", { tap: { owner: 0, group: 107, multiQueue: false } })),
    ["tap-owner", "tap0", /^owner is 0, not 107/],
  ],
  [
    "another group",
    unrecorded(withLink("tap0", { tap: { group: 36, multiQueue: false } })),
    ["tap-owner", "tap0", /^group is 36, not 107/],
  ],
  ["a tap that does not persist", withLink("tap0", { persist: false }), ["tap-persist", "tap0", /is not persistent/]],
  [
    "a tap that the VM has not taken",
    {
      ...withLink("tap0", { carrier: false }),
      holders: [{ name: "qemu-kvm", pid: 4711, tap: "tap16477688c0e" }],
    },
    ["tap-unused", "tap0", /qemu-kvm \(4711\) has tap16477688c0e open/],
  ],
  ["a tap without vnet_hdr", withLink("tap0", { vnetHeader: false }), ["tap-offload", "tap0", /vnet_hdr/]],
  [
    "the guest's MAC address on the tap",
    withLink("tap0", { mac: guestMac }),
    ["mac-doubled", "tap0", /has the guest's MAC address/],
  ],
  [
    "the guest's MAC address on the network",
    { ...healthy, stations: [{ mac: guestMac, port: "eth0-nic" }] },
    ["mac-doubled", "eth0-nic", /another machine on the network uses it/],
  ],
  [
    "a macvlan with another MAC address than the guest",
    withLink("eth0-nic", { mac: "02:00:00:00:00:0c" }, withLink("tap0", { port: stationed }, macvlan)),
    ["mac-macvlan", "eth0-nic", /given no frames for the guest/],
  ],
  ["a macvlan whose bridge is not told of the guest", macvlan, ["mac-macvlan", "tap0", /stay in the bridge/]],
  [
    "a guest with another MAC address",
    { ...healthy, stations: [{ mac: "02:99:99:99:99:99", port: "tap0" }] },
    ["mac-unseen", "tap0", /sends from 02:99:99:99:99:99, not from/],
  ],
  ["a smaller MTU", withLink("tap0", { mtu: 1400 }), ["mtu-shrinks", "tap0", /MTU 1400, and the guest is told 1450/]],
  [
    "an address that is lost",
    withLink("eth0", { addresses: [address("fd00::7/64")] }),
    ["address-lost", "eth0", /has lost 10\.244\.0\.7\/24/],
  ],
  [
    "IPv6 that is off",
    withLink("eth0", { addresses: [address("10.244.0.7/24")], ipv6: false }),
    ["ipv6-off", "eth0", /has lost fd00::7\/64, because its disable_ipv6 is 1/],
  ],
  [
    "a pod without an address",
    unrecorded(withLink("eth0", { addresses: [] })),
    ["address-none", "eth0", /none to give/],
  ],
  [
    "the guest's address on the NIC",
    withLink("eth0-nic", { addresses: [address("10.244.0.7/24")] }),
    ["address-on-plumbing", "eth0-nic", /the pod answers in its place/],
  ],
  [
    "an address that the bridge learnt",
    withLink("k6t-eth0", { addresses: [address("169.254.75.10/32"), address("2001:db8::1/64")] }),
    ["address-learnt", "k6t-eth0", /2001:db8::1\/64, by a router's advertisement/],
  ],
  [
    "an address that somebody else has",
    withLink("eth0", { duplicates: ["fd00::7"] }),
    ["address-duplicate", "eth0", /^fd00::7 is also used by another machine/],
  ],
  [
    "a pod that answers for the guest",
    { ...healthy, sysctls: { ...healthy.sysctls, "net.ipv4.conf.all.arp_ignore": "0" } },
    ["arp-ignore", "net.ipv4.conf.all.arp_ignore", /answers ARP requests for 10\.244\.0\.7/],
  ],
  [
    "masquerade without forwarding",
    { ...masquerade, sysctls: { ...masquerade.sysctls, "net.ipv4.ip_forward": "0" } },
    ["forwarding-off", "net.ipv4.ip_forward", /between guest and network/],
  ],
  [
    "a NIC that the bridge learns from",
    withLink("eth0-nic", { port: { ...nic.port!, learning: true } }),
    ["learning-on", "eth0-nic", /learning is on/],
  ],
  ["STP", withLink("k6t-eth0", { stp: true }), ["stp-on", "k6t-eth0", /30 s/]],
  [
    "a VLAN of the guest's alone",
    withLink("tap0", { port: { ...tap.port!, vlans: access } }, filtering),
    ["vlan-gap", "tap0", /allows VLAN 100, but eth0-nic does not/],
  ],
  ["a tap in no VLAN", filtering, ["vlan-gap", "tap0", /in no VLAN/]],
  [
    "a port that passt cannot take",
    {
      ...healthy,
      records: [record, passtRecord],
      sysctls: { ...healthy.sysctls, "net.ipv4.ip_unprivileged_port_start": "1024" },
    },
    ["passt-ports", "net.ipv4.ip_unprivileged_port_start", /cannot take ports below 1024/],
  ],
  [
    "pings that passt cannot send",
    {
      ...healthy,
      records: [record, passtRecord],
      sysctls: { ...healthy.sysctls, "net.ipv4.ping_group_range": "1 0" },
    },
    ["passt-ping", "net.ipv4.ping_group_range", /is 1 0, not 107 107/],
  ],
  ["a VF that is gone", withVf({ there: false }), ["vf-gone", vf.device, /removed or recreated/]],
  [
    "a VF on its network driver",
    withVf({ driver: "igbvf", handedOver: false }),
    ["vf-driver", vf.device, /is on igbvf/],
  ],
  [
    "a VF on no driver",
    { ...healthy, vfs: [{ ...driverless, handedOver: false }] },
    ["vf-driver", vf.device, /is on no driver/],
  ],
  ["a VF without a group", { ...healthy, vfs: [groupless] }, ["vf-group", vf.device, /in no IOMMU group/]],
  [
    "a group that is not viable",
    withVf({ offenders: ["0000:01:00.0 is on igb"] }),
    ["vf-group", vf.device, /group 10 is not viable: 0000:01:00\.0 is on igb/],
  ],
  ["a VF without its file", withVf({ openable: false }), ["vf-file", "/dev/vfio/10", /no hypervisor can open/]],
  [
    "a VF that is set otherwise",
    withVf({ pf: { ...vf.pf!, differences: [{ subject: "ens1f0 VF 1", fact: "VLAN is none, not 100" }] } }),
    ["vf-settings", "ens1f0 VF 1", /^VLAN is none, not 100$/],
  ],
  [
    "two VFs with one MAC address",
    withVf({ pf: { ...vf.pf!, twins: [3] } }),
    ["vf-twin", "ens1f0 VF 1", /of VF 3 too/],
  ],
  [
    "a PF that tells nothing",
    { ...healthy, vfs: [{ ...pfless, fault: "0000:01:00.0: the VF's PF has no network link" }] },
    ["pf-fault", vf.device, /no network link/],
  ],
  ["a PF that is down", withVf({ pf: { ...vf.pf!, up: false, carrier: false } }), ["pf-down", "ens1f0", /is down/]],
  ["a PF without carrier", withVf({ pf: { ...vf.pf!, carrier: false } }), ["pf-no-carrier", "ens1f0", /no carrier/]],
];

for (const [what, survey, ...found] of cases)
  t.test(`${what} is found, and nothing else`, async (t) => {
    const all = findings(survey).filter(({ code }) => !isConsequence(code, found));
    t.match(
      all,
      found.map(([code, subject, fact]) => ({ code, subject, fact, severity: severities[code] })),
    );
    t.equal(all.length, found.length, JSON.stringify(all));
    for (const { remedy } of all) t.match(remedy, /\w{3}/);
  });

/** What a link's being gone, or set otherwise, says of what is recorded. */
function isConsequence(code: Code, found: readonly (readonly [Code, ...unknown[]])[]): boolean {
  return code === "record-differs" && !found.some(([one]) => one === code);
}

t.test("a healthy pod has no findings", async (t) => {
  for (const survey of [
    healthy,
    unrecorded(healthy),
    masquerade,
    withVf({}),
    { ...healthy, records: [record, passtRecord] },
    withLink("tap0", { port: stationed }, macvlan),
    { ...withLink("tap0", { carrier: false }), holders: [], stations: [] },
    withLink("k6t-eth0", { mtu: 1400 }, withLink("eth0", { mtu: 1400 }, unrecorded(healthy))),
    { ...healthy, links: [placeholder, tap, bridge, nic] },
  ])
    t.same(findings(survey), []);
});

t.test("every finding has a case here, and a row of its severity in docs/diagnose.md", async (t) => {
  const docs = readFileSync(new URL("../../../docs/diagnose.md", import.meta.url), "utf8");
  const rows = [...docs.matchAll(/^\| `([a-z0-9-]+)` \| (error|warning) \|/gm)].map(([, code, severity]) => [
    code,
    severity,
  ]);
  const codes = Object.entries(severities).map(([code, severity]) => [code, severity]);
  t.strictSame(rows.sort(), codes.sort());
  const tested = new Set(cases.flatMap(([, , ...found]) => found.map(([code]) => code)));
  t.strictSame([...tested].sort(), Object.keys(severities).sort());
});

t.test("errors come before warnings", async (t) => {
  const found = findings(withLink("tap0", { up: false, carrier: false }, { ...healthy, busy: true }));
  t.strictSame(
    found.map(({ severity }) => severity),
    ["error", "warning"],
  );
});

t.test("remedies quote words that a shell would split", async (t) => {
  const name = "a$(id)'b";
  const [down] = findings({
    ...masquerade,
    netns: { path: "/run/my pods/blue", inode: 7 },
    links: [seen({ name, up: false, addresses: [address("10.0.0.1/24")] })],
  });
  t.equal(down!.remedy, `nsenter --net='/run/my pods/blue' ip link set 'a$(id)'\\''b' up`);
});
