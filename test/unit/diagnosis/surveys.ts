// Pods as they are seen, healthy ones: what tests break.
import { createHash } from "node:crypto";
import type { PodSurvey, SurveyedLink, SurveyedRecord, SurveyedVf } from "../../../lib/diagnosis/survey.ts";
import type { NewLink } from "../../../lib/plan/state.ts";
import { address, link } from "../plan/pods.ts";

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

export const guestMac = "0a:58:0a:f4:00:07";
/** "kt", and the pod link's index. */
const mark = 0x6b740002;

/** A link of a pod's. */
export function seen(more: Partial<SurveyedLink> & Pick<SurveyedLink, "name">): SurveyedLink {
  return { ...link(more), carrier: true, duplicates: [], ...more };
}

const port = { learning: true, isolated: false, vlans: [], stations: [] };

export const nic: SurveyedLink = seen({
  name: "eth0-nic",
  index: 2,
  mac: "02:00:00:00:00:0b",
  master: "k6t-eth0",
  ipv6: false,
  port: { ...port, learning: false },
  portState: 3,
});

export const bridge: SurveyedLink = seen({
  name: "k6t-eth0",
  index: 3,
  kind: "bridge",
  mac: "02:00:00:00:00:0b",
  mark,
  ipv6: false,
  bridge: { vlanFiltering: false },
  stp: false,
  addresses: [address("169.254.75.10/32")],
});

export const tap: SurveyedLink = seen({
  name: "tap0",
  index: 4,
  kind: "tap",
  mac: "02:00:00:00:00:0a",
  mark,
  ipv6: false,
  master: "k6t-eth0",
  port,
  portState: 3,
  tap: { owner: 107, group: 107, multiQueue: false },
  persist: true,
  vnetHeader: true,
});

export const placeholder: SurveyedLink = seen({
  name: "eth0",
  index: 5,
  kind: "dummy",
  mac: guestMac,
  mark,
  up: false,
  carrier: false,
  addresses: [address("10.244.0.7/24"), address("fd00::7/64")],
});

const entry: SurveyedRecord["entry"] = {
  network: "bridge-binding",
  containerId: "c1",
  ifname: "net1",
  netns: { path: "/run/netns/blue", device: 4, inode: 4026532001 },
  time: 1,
  changes: [
    { do: "create", link: bare(bridge) },
    { do: "create", link: bare(tap) },
    { do: "create", link: bare(placeholder) },
    { do: "sysctl", key: "net.ipv4.conf.all.arp_ignore", from: "0", to: "1" },
  ],
};

/** As a plan has it: without what only the kernel decides. */
function bare({ index: _, carrier: __, duplicates: ___, ...planned }: SurveyedLink): NewLink {
  return planned as NewLink;
}

export const record: SurveyedRecord = { directory: "/run/bridge-binding", entry, pending: false, here: true };

/** A record of passt-binding's. */
export const passtRecord: SurveyedRecord = {
  directory: "/run/passt-binding",
  pending: false,
  here: true,
  entry: {
    ...entry,
    ifname: "net2",
    changes: [
      { do: "sysctl", key: "net.ipv4.ip_unprivileged_port_start", from: "1024", to: "0" },
      { do: "sysctl", key: "net.ipv4.ping_group_range", from: "1 0", to: "107 107" },
    ],
  },
};

/** A pod that bridge-binding wired. */
export const healthy: PodSurvey = {
  netns: { path: "/run/netns/blue", inode: 4026532001 },
  busy: false,
  links: [seen({ name: "lo", kind: "", index: 1, mac: "00:00:00:00:00:00" }), nic, bridge, tap, placeholder],
  sysctls: {
    "net.ipv4.conf.all.arp_ignore": "1",
    "net.ipv4.ip_forward": "0",
    "net.ipv6.conf.all.forwarding": "0",
    "net.ipv4.ip_unprivileged_port_start": "0",
    "net.ipv4.ping_group_range": "107 107",
  },
  stations: [{ mac: guestMac, port: "tap0" }],
  records: [record],
  allocations: [],
  unreadable: [],
  vfs: [],
  holders: [{ name: "qemu-kvm", pid: 4711, tap: "tap0" }],
};

/** A VF that a hypervisor has open. */
export const vf: SurveyedVf = {
  device: "0000:01:10.1",
  there: true,
  driver: "vfio-pci",
  group: "10",
  handedOver: true,
  offenders: [],
  file: "/dev/vfio/10",
  openable: true,
  users: ["qemu-kvm (4711)"],
  pf: {
    link: "ens1f0",
    index: 1,
    up: true,
    carrier: true,
    mtu: 1500,
    settings: ["MAC 02:00:00:00:00:01", "VLAN 100, QoS 0, 802.1q", "spoofchk on"],
    differences: [],
    twins: [],
  },
};

/** The pod with one of its links changed, or taken away. */
export function withLink(
  name: string,
  more: Partial<SurveyedLink> | undefined,
  survey: PodSurvey = healthy,
): PodSurvey {
  return {
    ...survey,
    links: survey.links.flatMap((one) =>
      one.name !== name ? [one] : more === undefined ? [] : [{ ...one, ...more } as SurveyedLink],
    ),
  };
}

/** KubeVirt's own masquerade binding. */
export const masquerade: PodSurvey = {
  ...healthy,
  links: [
    seen({ name: "eth0", index: 2, addresses: [address("10.244.0.7/24")] }),
    seen({ name: "k6t-eth0", index: 3, kind: "bridge", mac: "02:00:00:00:00:00", bridge: { vlanFiltering: false } }),
    { ...tap, mark: 0 },
  ],
  sysctls: { ...healthy.sysctls, "net.ipv4.ip_forward": "1" },
  records: [],
};
