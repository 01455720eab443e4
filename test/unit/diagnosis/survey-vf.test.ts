// What is seen of a VF that sriov-vfio gave to a pod, on a node in memory that is like one with
// igb's VFs, and what a diagnosis makes of it.
import t from "tap";
import { diagnosisOf } from "../../../lib/diagnosis/diagnosis.ts";
import type { PodSurvey } from "../../../lib/diagnosis/survey.ts";
import type { Allocation } from "../../../lib/plan/allocations.ts";
import { journal, PluginOnNode, pf, vf } from "../sriov-vfio/node.ts";

// After the node's module, which puts its calls in the place of the host's.
const { surveyVf } = await import("../../../lib/diagnosis/survey-vf.ts");

/** A node with the VF in a pod, and a look at it. */
function given() {
  const plugin = new PluginOnNode();
  plugin.add({ conf: { mac: "02:00:00:00:00:01", vlan: 100, spoofchk: "off" } });
  const entry: Allocation = JSON.parse(plugin.node.pci.files.read(plugin.recordPaths[0]!));
  const look = () => surveyVf(entry);
  const findings = (): string[] => {
    const survey: PodSurvey = {
      netns: { path: "/run/netns/pod", inode: 4026532001 },
      busy: false,
      links: [],
      sysctls: {},
      stations: [],
      records: [],
      allocations: [{ directory: journal, entry, here: true, pending: false }],
      unreadable: [],
      vfs: [look()],
      holders: [],
    };
    return diagnosisOf(survey, plugin.node.sha256).findings.map(({ code, subject }) => `${code} ${subject}`);
  };
  const deeds = plugin.node.deeds.length;
  return { plugin, node: plugin.node, look, findings, changed: () => plugin.node.deeds.length > deeds };
}

t.test("surveyVf reads a held VF, changes nothing and leaves nothing open", async (t) => {
  const { node, look, findings, changed } = given();
  node.pci.files.file(node.pci.files.placeOf("/sys/class/net/eth0/carrier"), "1\n");
  t.match(look(), {
    device: vf,
    there: true,
    driver: "vfio-pci",
    group: "10",
    handedOver: true,
    offenders: [],
    file: "/dev/vfio/10",
    openable: true,
    users: [],
    pf: {
      link: "eth0",
      index: 1,
      up: true,
      carrier: true,
      mtu: 1500,
      settings: [
        "MAC 02:00:00:00:00:01",
        "VLAN 100, QoS 0, 802.1q",
        /^tx rate/,
        "spoofchk off",
        /^trust/,
        /^link state/,
      ],
      differences: [],
      twins: [],
    },
  });
  t.strictSame([findings(), changed(), node.open], [[], false, 0]);
});

t.test("surveyVf reports how a VF changed after ADD", async (t) => {
  type Given = ReturnType<typeof given>;
  const table = (node: Given["node"]) => node.pci.vfs.get(pf)!;
  const cases: Record<string, [spoil: (given: Given) => void, found: string[]]> = {
    "a VLAN that somebody took off": [
      ({ node }) => {
        table(node)[1]!.vlan = 0;
      },
      ["vf-settings eth0 VF 1"],
    ],
    "a MAC address that another VF has": [
      ({ node }) => {
        table(node)[2]!.mac = "02:00:00:00:00:01";
      },
      ["vf-twin eth0 VF 1"],
    ],
    "a driver that somebody bound": [
      ({ node }) => {
        node.writeFile(`/sys/bus/pci/devices/${vf}/driver_override`, "\n");
        node.writeFile(`/sys/bus/pci/devices/${vf}/driver/unbind`, vf);
        node.writeFile("/sys/bus/pci/drivers_probe", vf);
      },
      [`vf-driver ${vf}`],
    ],
    "a PF that is down": [({ node }) => node.down.add("eth0"), ["pf-down eth0"]],
    "a PF without a carrier": [
      ({ node }) => node.pci.files.file(node.pci.files.placeOf("/sys/class/net/eth0/carrier"), "0\n"),
      ["pf-no-carrier eth0"],
    ],
    "a PF that went into a pod": [({ node }) => node.pci.moveAway("eth0", "/run/netns/other"), [`pf-fault ${vf}`]],
    "a group that is not viable": [
      ({ node }) =>
        node.pci.files.link(
          `/sys/kernel/iommu_groups/10/devices/${pf}`,
          `../../../..${node.pci.directoryOf(pf).slice(4)}`,
        ),
      [`vf-group ${vf}`],
    ],
    "no file to open it by": [({ node }) => node.pci.files.remove("/dev/vfio/10"), ["vf-file /dev/vfio/10"]],
    "VFs that were made anew": [
      ({ node }) => {
        node.writeFile("/sys/class/net/eth0/device/sriov_numvfs", "0");
        node.writeFile("/sys/class/net/eth0/device/sriov_numvfs", "3");
      },
      [`vf-gone ${vf}`],
    ],
    "VFs that were removed": [
      ({ node }) => node.writeFile("/sys/class/net/eth0/device/sriov_numvfs", "0"),
      [`vf-gone ${vf}`],
    ],
  };
  for (const [what, [spoil, found]] of Object.entries(cases)) {
    const one = given();
    spoil(one);
    t.strictSame(one.findings(), found, what);
    t.equal(one.node.open, 0);
  }
});

t.test("surveyVf names the processes that have the VF open", async (t) => {
  const { node, look } = given();
  node.pci.files.link("/proc/4711/fd/9", "/dev/vfio/10");
  node.pci.files.file("/proc/4711/comm", "qemu-kvm\n");
  t.strictSame(look().users, ["qemu-kvm (4711)"]);
});
