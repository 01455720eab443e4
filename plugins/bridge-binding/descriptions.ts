// Describes each field of the netconf in one sentence, for the README and for editors. Not part of
// the executable.
import type { Descriptions } from "../../lib/cni/netconf-schema.ts";

export const descriptions: Descriptions = {
  interface: "the pod's link to bind, whatever the rules below would choose",
  primaryInterface: "the link of the pod's primary network, such as `ovn-udn1`",
  attachment: "`tap`: all of it; `managedTap`: the bridge alone, the rest is KubeVirt's",
  owner: "the user who may open the tap",
  group: "the group that may open the tap",
  queues: "how many queues libvirt will ask for; more than 1 makes the tap a multi-queue one",
  mtu: "the MTU in bytes of bridge, tap and placeholder, and so the guest's; at most the pod link's, which it is unless told",
  mac: "the guest's MAC address; `runtimeConfig.mac`, `args.cni.mac` and `MAC` in CNI_ARGS come before it; the pod link's unless told",
  vlan: "the VLAN of the network that the guest has untagged",
  vlanTrunk: "the VLANs that the guest has tagged",
  portIsolation: "whether the tap is an isolated port",
  bridgeAddress:
    "an address for the bridge; `auto` is the first free one of KubeVirt's 169.254.75.10, .11, … if the pod has IPv4",
  keepPodAddresses: "whether the placeholder keeps the pod's IP addresses, which KubeVirt reports as the guest's",
  selinuxContext: "the SELinux context that the tap is made under",
  dataDir: "where the records are; every directory on the way must belong to root alone",
};
