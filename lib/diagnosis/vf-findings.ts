// Checks a VF that was handed to a pod.
import type { Report } from "./finding.ts";
import type { SurveyedVf } from "./survey.ts";

/** Checks from the VF to its PF: whether a hypervisor can open the VF, and whether frames pass. */
export function vfFindings(vf: SurveyedVf, report: Report): void {
  const { device, there, driver, group, offenders, file, pf, fault } = vf;
  if (!there) {
    const fact = "was removed or recreated after ADD: sriov_numvfs was written, or the PF's driver reloaded";
    report("vf-gone", device, fact, "delete the pod: it is given another VF");
    return;
  }
  if (!vf.handedOver)
    report(
      "vf-driver",
      device,
      `is on ${driver ?? "no driver"}, not a driver of VFIO: another process took it from the pod`,
      "delete the pod; see what binds drivers on the node (driverctl, udev, the operator of the SR-IOV network)",
    );
  if (group === undefined)
    report(
      "vf-group",
      device,
      "is in no IOMMU group",
      "switch the IOMMU on: VT-d or AMD-Vi in the firmware, and intel_iommu=on on an Intel kernel's command line",
    );
  else if (offenders.length > 0)
    report(
      "vf-group",
      device,
      `its IOMMU group ${group} is not viable: ${offenders.join(", ")}`,
      "VFIO hands over whole groups: take these devices from their drivers, or use a slot with ACS",
    );
  if (vf.handedOver && !vf.openable)
    report("vf-file", file, `is missing: no hypervisor can open ${device}`, "load the module vfio-pci; see dmesg");
  if (fault !== undefined)
    report("pf-fault", device, fault, "see that the PF's network link is the node's, not a pod's");
  if (pf === undefined) return;
  const { link, index, up, carrier, differences, twins } = pf;
  for (const { subject, fact } of differences)
    report("vf-settings", subject, fact, "find out who changed it (ip link show); or delete the pod");
  if (!up) report("pf-down", link, "is down, and its VFs with it", `ip link set ${link} up`);
  else if (!carrier)
    report("pf-no-carrier", link, "has no carrier, and so its VFs", "see the cable, and the switch's port");
  if (twins.length > 0)
    report(
      "vf-twin",
      `${link} VF ${index}`,
      `has the MAC address of VF ${twins.join(", ")} too: the NIC gives frames to one of them`,
      "give each VM's interface a macAddress of its own; after a migration, make sure that the source pod no longer exists",
    );
}
