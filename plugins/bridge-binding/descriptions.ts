// Describes each field of the netconf in one sentence, for the README and for editors. Not part of
// the executable.
import type { Descriptions } from "../../lib/cni/netconf-schema.ts";

export const descriptions: Descriptions = {
  interface: "the pod's link to bind; without it, the plugin finds the link itself",
  primaryInterface: "the link of the pod's primary network, such as `ovn-udn1`",
  attachment: "`tap`: the plugin creates all links; `managedTap`: it creates only the bridge, and KubeVirt the rest",
  owner: "the user who may open the tap",
  group: "the group that may open the tap",
  queues: "the number of queues that libvirt requests; more than 1 creates a multi-queue tap",
  mtu: "the MTU in bytes of bridge, tap, placeholder and guest; at most the pod link's; default: the smallest of the pod link's and of its default and on-link routes",
  mac: "the guest's MAC address; `runtimeConfig.mac`, `args.cni.mac` and `MAC` in CNI_ARGS take precedence; default: the pod link's",
  vlan: "the VLAN of the network that the guest has untagged",
  vlanTrunk: "the VLANs that the guest has tagged",
  portIsolation: "whether the tap is an isolated port",
  bridgeAddress:
    "an address for the bridge; `auto` is the first free one of KubeVirt's 169.254.75.10, .11, … if the pod has IPv4",
  keepPodAddresses: "whether the placeholder keeps the pod's IP addresses, which KubeVirt reports as the guest's",
  selinuxContext: "the SELinux context in which the tap is created",
  dataDir: "the directory of the records; only root may be able to write to it and to each directory above it",
};
