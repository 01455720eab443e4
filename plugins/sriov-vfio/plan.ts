// Plans what sriov-vfio does to a VF: settings at the physical function, driver, device
// information.
import { deviceInfo } from "../../lib/kubevirt/device-info.ts";
import { noMac } from "../../lib/net/mac.ts";
import type { Binding, DeviceChange, VfSettings } from "../../lib/plan/device.ts";
import type { VirtualFunction } from "../../lib/sysfs/sriov.ts";
import { isVfioDriver, type Offender } from "../../lib/sysfs/vfio.ts";
import type { Conf } from "./netconf.ts";

/** The state of a VF before ADD. */
export interface FoundVf extends VirtualFunction {
  readonly device: string;
  readonly binding: Binding;
  /** The names of its network links. */
  readonly links: readonly string[];
  readonly mtu: number;
  readonly uplink: string;
  readonly up: boolean;
  /**
   * The settings that its PF reports. A MAC address that the VF's driver picked at random counts as
   * none: zeros.
   */
  readonly settings: VfSettings;
  /** Whether the PF reported such an address. */
  readonly picked: boolean;
  readonly group: string | undefined;
  readonly offenders: readonly Offender[];
}

/** The input of the plan. */
export interface Situation {
  readonly conf: Conf;
  readonly found: FoundVf;
  /** The processes that have the VF's group open, in words. */
  readonly use?: string;
  /** The MAC address that the call asks for. */
  readonly mac?: string;
  /** An address that is unique to the attachment, for a VF that has none. */
  readonly generatedMac: string;
  readonly info?: { readonly path: string; readonly present?: string };
}

/** An obstacle, and what to do about it. */
export interface Obstacle {
  readonly fact: string;
  readonly hint: string;
}

/** Returns the reasons why the VF cannot be handed over. Empty if it can. */
export function obstacles({ conf, found, use }: Situation): Obstacle[] {
  const { device, binding, links, uplink, up, group, offenders } = found;
  const prebound = isPrebound(found);
  const faults: (Obstacle | false)[] = [
    !up && { fact: `${uplink}: the VF's PF is down`, hint: `ip link set ${uplink} up` },
    group === undefined && {
      fact: `${device}: is in no IOMMU group`,
      hint: "switch the IOMMU on: VT-d or AMD-Vi in the firmware, and intel_iommu=on on an Intel kernel's command line",
    },
    offenders.length > 0 && {
      fact: `${device}: its IOMMU group ${group} is not viable: ${offenders.map(({ address, driver }) => `${address} is on ${driver}`).join(", ")}`,
      hint: "VFIO hands over whole groups: take these devices from their drivers, or use a slot with ACS, where each VF has a group of its own",
    },
    use !== undefined && { fact: use, hint: "end the process that uses the VF" },
    conf.binding === "require-prebound" &&
      !prebound && {
        fact: `${device}: is on ${binding.driver ?? "no driver"}, and binding is "require-prebound"`,
        hint: `bind it to ${conf.driver} before the device plugin starts, or set binding to "auto"`,
      },
    binding.driver !== undefined &&
      !prebound &&
      links.length === 0 && {
        fact: `${device}: is on ${binding.driver} and has no network link on the node: it is in another network namespace`,
        hint: "delete the pod that has it",
      },
  ];
  return faults.filter((fault) => fault !== false);
}

/** Whether the VF is already on a VFIO driver, and stays there. */
export function isPrebound({ binding: { driver } }: Pick<FoundVf, "binding">): boolean {
  return driver !== undefined && isVfioDriver(driver);
}

/**
 * Returns the changes that ADD makes. There must be no {@link obstacles}. Throws an Error if the
 * file of the device information is not device information.
 */
export function plan(situation: Situation): DeviceChange[] {
  const { conf, found, info } = situation;
  const { device, pf, index, binding, links } = found;
  const changes: DeviceChange[] = [];
  const to = wanted(situation);
  const from = Object.fromEntries(Object.entries(found.settings).filter(([name]) => Object.hasOwn(to, name)));
  changes.push({ do: "configureVf", pf, index, from, to, ...(found.picked && { picked: true }) });
  const stays = isPrebound(found) && (conf.binding !== "bind" || binding.driver === conf.driver);
  if (!stays) changes.push({ do: "bindDriver", device, from: binding, to: { driver: conf.driver }, links });
  if (info !== undefined) {
    const to = deviceInfo(info, { address: device, pf });
    changes.push({ do: "file", path: info.path, to, ...(info.present !== undefined && { from: info.present }) });
  }
  return changes;
}

/**
 * Returns the guest's MAC address: the one that the call asks for, otherwise the VF's, otherwise
 * the generated one.
 */
export function guestMac({ mac, found, generatedMac }: Situation): string {
  const { mac: present = noMac } = found.settings;
  return mac ?? (present === noMac ? generatedMac : present);
}

/** Returns the settings that the conf asks for, and the MAC address that ADD reports. */
function wanted(situation: Situation): VfSettings {
  const { conf, found } = situation;
  const { vlan, min_tx_rate: least, max_tx_rate: most } = conf;
  return {
    ...(vlan !== undefined && {
      vlan: { id: vlan, qos: conf.vlanQoS ?? 0, protocol: vlan === 0 ? "802.1q" : (conf.vlanProto ?? "802.1q") },
    }),
    mac: guestMac(situation),
    ...((least !== undefined || most !== undefined) && {
      rate: { least: least ?? found.settings.rate?.least ?? 0, most: most ?? found.settings.rate?.most ?? 0 },
    }),
    ...(conf.spoofchk !== undefined && { spoofCheck: conf.spoofchk === "on" }),
    ...(conf.trust !== undefined && { trust: conf.trust === "on" }),
    ...(conf.link_state !== undefined && { linkState: conf.link_state }),
  };
}
