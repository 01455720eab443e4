// Describes each field of the netconf in one sentence, for the README and for editors. Not part of
// the executable.
import type { Descriptions } from "../../lib/cni/netconf-schema.ts";

export const descriptions: Descriptions = {
  deviceID:
    "the VF's PCI address; Multus sets it if the NetworkAttachmentDefinition names the device plugin's resource",
  binding:
    "`auto`: keeps a VF that is on a VFIO driver there, binds any other and restores it; `require-prebound`: refuses any other; `bind`: always binds the VF to `driver`",
  driver: "the VFIO driver to bind to: `vfio-pci`, or the variant for the device, such as `mlx5_vfio_pci`",
  mac: "the guest's MAC address; `runtimeConfig.mac`, `args.cni.mac` and `MAC` in CNI_ARGS take precedence; if the VF has none, one is generated",
  vlan: "the VLAN that the VF's frames are tagged with on the wire; 0 for none",
  vlanQoS: "the priority in the VLAN tag",
  vlanProto: "the protocol of the VLAN tag",
  min_tx_rate: "the guaranteed rate of the VF in Mbit/s; 0 for none",
  max_tx_rate: "the maximum send rate of the VF in Mbit/s; 0 for no limit",
  spoofchk: "whether frames from other MAC addresses or VLANs than the VF's are dropped",
  trust: "whether the guest may change its MAC address and enable promiscuous mode",
  link_state: "the VF's link state: as the PF's, always up, or always down",
  dataDir: "the directory of the records; only root may be able to write to it and to each directory above it",
};
