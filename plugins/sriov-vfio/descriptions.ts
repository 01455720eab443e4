// Describes each field of the netconf in one sentence, for the README and for editors. Not part of
// the executable.
import type { Descriptions } from "../../lib/cni/netconf-schema.ts";

export const descriptions: Descriptions = {
  deviceID:
    "the VF's PCI address; Multus fills it in, where the NetworkAttachmentDefinition names the device plugin's resource",
  binding:
    "`auto`: a VF that is on a VFIO driver stays on it for ever, another is bound and given back; `require-prebound`: another is refused; `bind`: it must be on `driver`, whatever it is on",
  driver: "the VFIO driver to bind to: `vfio-pci`, or the variant for the device, such as `mlx5_vfio_pci`",
  mac: "the guest's MAC address; `runtimeConfig.mac`, `args.cni.mac` and `MAC` in CNI_ARGS come before it; one is generated where the VF has none",
  vlan: "the VLAN that the VF's frames are tagged with on the wire; 0 for none",
  vlanQoS: "the priority in that tag",
  vlanProto: "the kind of that tag",
  min_tx_rate: "the least rate in Mbit/s that the VF is guaranteed; 0 for none",
  max_tx_rate: "the highest rate in Mbit/s that the VF may send at; 0 for no limit",
  spoofchk: "whether frames from other MAC addresses or VLANs than the VF's are dropped",
  trust: "whether the guest may change its MAC address, and be promiscuous",
  link_state: "the VF's link: as the PF's, always up, or always down",
  dataDir: "where the records are; every directory on the way must belong to root alone",
};
