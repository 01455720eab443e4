// What is printed of a diagnosis: for people, and for machines.
import t from "tap";
import { coloured, plain } from "../../../lib/command/paint.ts";
import { diagnosisOf } from "../../../lib/diagnosis/diagnosis.ts";
import { documentOf } from "../../../lib/diagnosis/document.ts";
import { linesOf } from "../../../lib/diagnosis/picture.ts";
import type { PodSurvey, SurveyedLink } from "../../../lib/diagnosis/survey.ts";
import { recordedLink } from "../../../lib/diagnosis/topology.ts";
import { address, route } from "../plan/pods.ts";
import { healthy, masquerade, passtRecord, record, seen, sha256, vf, withLink } from "./surveys.ts";

function drawn(survey: PodSurvey): string[] {
  return linesOf(diagnosisOf(survey, sha256), plain);
}

t.test("the picture leads from the network to the guest, for bridge-binding and for a VF", async (t) => {
  t.strictSame(drawn({ ...healthy, vfs: [vf] }), [
    "network ─── eth0-nic ─── k6t-eth0 ─── tap0 ─── guest    bridge-binding, net1 of c1",
    "",
    "eth0-nic  veth    up    02:00:00:00:00:0b  mtu 1450  port of k6t-eth0, learning off",
    "k6t-eth0  bridge  up    02:00:00:00:00:0b  mtu 1450  169.254.75.10/32",
    "tap0      tap     up    02:00:00:00:00:0a  mtu 1450  port of k6t-eth0, owner 107, group 107, single queue, open in qemu-kvm (4711)",
    "eth0      dummy   down  0a:58:0a:f4:00:07  mtu 1450  10.244.0.7/24, fd00::7/64, guest's address holder, seen at tap0",
    "",
    "network ─── ens1f0 ─── VF 1 ─── vfio-pci ─── guest    sriov-vfio",
    "",
    "ens1f0  up  mtu 1500",
    "0000:01:10.1  vfio-pci, IOMMU group 10, MAC 02:00:00:00:00:01, VLAN 100, QoS 0, 802.1q, spoofchk on, open in qemu-kvm (4711)",
    "",
    "No problems found.",
  ]);
});

t.test("the picture cuts joints without traffic, and puts missing links in brackets", async (t) => {
  const chain = (survey: PodSurvey): string => drawn(survey)[0]!.replace(/ {4}.*/, "");
  t.equal(
    chain(withLink("tap0", { up: false, carrier: false })),
    "network ─── eth0-nic ─── k6t-eth0 ─╳─ tap0 ┄┄┄ guest",
  );
  t.equal(chain(withLink("eth0-nic", { carrier: false })), "network ─╳─ eth0-nic ─── k6t-eth0 ─── tap0 ─── guest");
  t.equal(chain(withLink("k6t-eth0", undefined)), "network ─── eth0-nic ─╳─ (k6t-eth0) ─╳─ tap0 ─── guest");
  t.equal(chain(withLink("tap0", undefined)), "network ─── eth0-nic ─── k6t-eth0 ─╳─ (tap0) ┄┄┄ guest");
  t.equal(chain(masquerade), "network ─── eth0 ─NAT─ k6t-eth0 ─── tap0 ─── guest");
  const macvtap = seen({ name: "pod16477688c0e", kind: "macvtap", addresses: [address("10.0.0.7/24")] });
  t.equal(chain({ ...healthy, records: [], links: [macvtap] }), "network ─── pod16477688c0e ─── guest");
  t.equal(chain({ ...healthy, records: [], links: [] }), "The pod has no links but its loopback.");
});

t.test("passt is drawn at the link of the default route, otherwise at the primary one", async (t) => {
  const [infra, secondary] = [seen({ name: "eth0" }), seen({ name: "pod16477688c0e" })];
  const primary = seen({ name: "ovn-udn1", routes: [route("0.0.0.0/0", "10.0.0.1")] });
  const served = (...links: SurveyedLink[]): string[] =>
    drawn({ ...healthy, records: [passtRecord], links }).flatMap((line) => /─ (\S+) ─── passt/.exec(line)?.[1] ?? []);
  t.strictSame(served(infra, secondary, primary), ["ovn-udn1"]);
  t.strictSame(served(secondary, infra), ["eth0"]);
  t.strictSame(served(secondary), ["pod16477688c0e"]);
});

t.test("the picture describes the settings of a tap and its port", async (t) => {
  const port = { learning: true, isolated: true, vlans: [{ first: 100, last: 200, pvid: false, untagged: false }] };
  const survey = withLink("tap0", {
    tap: { owner: 107, multiQueue: true },
    queues: 4,
    port: { ...port, stations: ["0a:58:0a:f4:00:07"] },
  });
  const row = drawn(survey).find((line) => line.startsWith("tap0 "))!;
  t.match(row, "isolated, VLANs 100-200, leads to 0a:58:0a:f4:00:07, owner 107, multi-queue, 4 open, open in qemu-kvm");
});

t.test("the picture takes a tap's SELinux context from its record", async (t) => {
  const selinuxContext = "system_u:object_r:container_file_t:s0";
  const changes = record.entry.changes.map((change) =>
    change.do === "create" && change.link.kind === "tap"
      ? { ...change, link: { ...change.link, tap: { ...change.link.tap, selinuxContext } } }
      : change,
  );
  const own = { ...record, entry: { ...record.entry, changes } };
  t.match(recordedLink(own, "tap0"), { tap: { selinuxContext } });
  t.match(drawn({ ...healthy, records: [own] }).join("\n"), `made under ${selinuxContext}`);
});

t.test("findings are coloured by severity on a terminal only", async (t) => {
  const diagnosis = diagnosisOf(withLink("tap0", { up: false, carrier: false }), sha256);
  const lines = linesOf(diagnosis, coloured);
  t.match(lines[0], "\x1b[31m─╳─\x1b[39m");
  t.ok(lines.some((line) => line.startsWith("\x1b[31merror  \x1b[39m  tap0: is down")));
  t.notMatch(linesOf(diagnosis, plain).join(""), "\x1b");
});

t.test("the JSON document keeps its shape", async (t) => {
  const { findings, ...document } = documentOf(diagnosisOf({ ...withLink("tap0", { up: false }), vfs: [vf] }, sha256));
  t.strictSame(Object.keys(document), ["version", "netns", "healthy", "wires", "vfs", "sysctls"]);
  t.match(document, { version: 1, netns: { path: "/run/netns/blue", inode: 4026532001 }, healthy: false, vfs: [vf] });
  t.strictSame(findings, [
    {
      code: "link-down",
      severity: "error",
      subject: "tap0",
      fact: "is down: no frame passes it",
      remedy: "nsenter --net=/run/netns/blue ip link set tap0 up",
    },
  ]);
  const [nicPath] = document.wires;
  const { links, ...rest } = nicPath!;
  t.strictSame(rest, {
    kind: "bridge",
    maker: "bridge-binding",
    attachment: { containerId: "c1", ifname: "net1", pending: false },
    names: { podLink: "eth0", bridge: "k6t-eth0", nic: "eth0-nic", tap: "tap0" },
  });
  t.strictSame(
    links.map(({ role, name }) => `${role} ${name}`),
    ["nic eth0-nic", "bridge k6t-eth0", "tap tap0", "podLink eth0"],
  );
  t.strictSame(links[2], {
    name: "tap0",
    role: "tap",
    kind: "tap",
    up: false,
    carrier: true,
    mac: "02:00:00:00:00:0a",
    mtu: 1450,
    master: "k6t-eth0",
    addresses: [],
    tap: { owner: 107, group: 107, multiQueue: false },
    details: ["port of k6t-eth0", "owner 107", "group 107", "single queue", "open in qemu-kvm (4711)"],
  });
  t.strictSame(JSON.parse(JSON.stringify(document)), document, "nothing in it that JSON does not know");
});
