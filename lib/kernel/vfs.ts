// Reads and sets the settings of a VF by the link of its PF: `ip link set PF vf N …`.
import { failuresOf, throwAll } from "../failures.ts";
import { macFromHex, noMac } from "../net/mac.ts";
import type { Netlink } from "../netlink/client.ts";
import { NetlinkError } from "../netlink/errors.ts";
import { linkExtras, linkFlags } from "../netlink/route/link-header.ts";
import { type VfInfo, type VfLinkMessage, vfLink } from "../netlink/route/vf.ts";
import {
  type ConfigureVf,
  differing,
  settingNames,
  settingText,
  type VfSetting,
  type VfSettings,
} from "../plan/device.ts";
import type { Difference } from "../plan/differences.ts";
import * as pci from "../sysfs/pci.ts";
import { capacityOf, uplinkOf, type VirtualFunction, vfAddressOf } from "../sysfs/sriov.ts";
import type { Tree } from "../sysfs/tree.ts";
import { isVfioDriver } from "../sysfs/vfio.ts";

/** What the link of a physical function reports of one VF. */
export interface VfState {
  /** The name of the PF's link, and its index. */
  readonly uplink: string;
  readonly uplinkIndex: number;
  readonly mtu: number;
  readonly up: boolean;
  readonly settings: VfSettings;
}

/**
 * The VFs of PFs whose links are in the namespace of the socket. Throws NetlinkErrors and Errors.
 */
export class Vfs {
  readonly #tree: Tree;
  readonly #rtnl: Netlink;
  readonly #reload: (device: string, meanwhile: () => void) => void;

  /** @param reload unbinds a device, calls back, and binds it to the same driver again */
  constructor(tree: Tree, rtnl: Netlink, reload: (device: string, meanwhile: () => void) => void) {
    this.#tree = tree;
    this.#rtnl = rtnl;
    this.#reload = reload;
  }

  /** Returns the VF's state, as the link of its PF reports it. */
  get({ pf, index }: VirtualFunction): VfState {
    const uplink = uplinkOf(this.#tree, pf);
    const [message, info] = this.#read(uplink, pf, index);
    const { index: uplinkIndex, mtu = 0, flags } = message;
    return { uplink, uplinkIndex, mtu, up: (flags & linkFlags.up) !== 0, settings: settingsOf(info) };
  }

  /** Sets what differs, and reads it back. */
  configure(change: ConfigureVf): void {
    const before = this.get(change);
    const names = differing(before.settings, change.to);
    // The PF may report an address that the VF's driver picked. The reset by a hypervisor loses
    // such an address, so it is set again.
    const isUncertain = change.to.mac !== undefined && !names.includes("mac") && !this.#hasNetworkDriver(change);
    for (const name of [...names, ...(isUncertain ? (["mac"] as const) : [])])
      this.#set(before, change, name, change.to);
    const found = this.get(change).settings;
    const wrong = differing(found, change.to).map(
      (name) =>
        `${about(before, change, name)} is ${shown(found, name)} although the kernel took ${shown(change.to, name)}`,
    );
    if (wrong.length > 0) throw new Error(wrong.join("; "));
  }

  /** Restores the settings from before ADD. */
  restore(change: ConfigureVf): void {
    const before = this.get(change);
    const names = differing(before.settings, change.from).filter((name) => name !== "mac");
    throwAll(
      failuresOf([
        ...names.map((name) => () => this.#set(before, change, name, change.from)),
        () => this.#restoreMac(before, change),
      ]),
    );
  }

  /** Returns each setting that differs. */
  differences(change: ConfigureVf): Difference[] {
    const found = this.get(change);
    const { settings } = found;
    // A trusted guest may change its own MAC address.
    const own = differing(settings, change.to).filter((name) => name !== "mac" || settings.trust !== true);
    return own.map((name) => ({
      subject: nameOf(found, change),
      fact: `${settingNames[name]} is ${shown(settings, name)}, not ${shown(change.to, name)}`,
    }));
  }

  #read(uplink: string, pf: string, index: number): [VfLinkMessage, VfInfo] {
    try {
      const message = this.#rtnl.get(
        vfLink,
        { name: uplink, extMask: linkExtras.vfs | linkExtras.skipStatistics },
        `${uplink} with its VFs`,
      );
      const info = message.vfList?.list?.find(({ mac }) => mac?.vf === index);
      if (info === undefined) throw new Error(`${uplink}: the kernel reports no VF ${index}`);
      return [message, info];
    } catch (failure) {
      const { vfs = 0 } = capacityOf(this.#tree, pf) ?? {};
      if (vfs <= maxVfsPerMessage) throw failure;
      throw new Error(
        `${uplink}: has ${vfs} VFs, but one netlink message holds about ${maxVfsPerMessage}; create fewer VFs (${(failure as Error).message})`,
        { cause: failure },
      );
    }
  }

  #set(state: VfState, vf: VirtualFunction, name: VfSetting, settings: VfSettings): void {
    const { uplinkIndex: index } = state;
    try {
      this.#rtnl.set(vfLink, { index, vfList: { list: [infoOf(vf.index, name, settings)] } }, about(state, vf, name));
    } catch (failure) {
      if (!(failure instanceof NetlinkError)) throw failure;
      throw new Error(`${failure.message}; ${this.#hint(failure, vf, name)}`, { cause: failure });
    }
  }

  #restoreMac(before: VfState, change: ConfigureVf): void {
    const { from, to, picked } = change;
    const { mac } = before.settings;
    if (from.mac === undefined) return;
    const set = (): void => {
      if (mac !== from.mac) this.#setMacBack(before, change);
    };
    if (!this.#hasNetworkDriver(change)) return set();
    // Any other address was picked by the VF's network driver after ADD.
    if (mac !== to.mac && mac !== from.mac) return;
    // The PF forgets the address that the driver picked. It learns it again when the driver binds,
    // but not while the PF is down.
    if (mac !== from.mac || (picked && mac === noMac)) this.#reload(vfAddressOf(this.#tree, change)!, set);
  }

  #setMacBack(before: VfState, change: ConfigureVf): void {
    try {
      this.#set(before, change, "mac", change.from);
    } catch (failure) {
      const { cause } = failure as Error;
      const isRefused = cause instanceof NetlinkError && (cause.code === "EINVAL" || cause.code === "EADDRNOTAVAIL");
      if (change.from.mac !== noMac || !isRefused) throw failure;
      // Drivers such as qede cannot clear an address. The guest's address must not stay for the
      // next guest.
      this.#set(before, change, "mac", { mac: this.#randomMac() });
    }
  }

  #randomMac(): string {
    return macFromHex(this.#tree.readFile("/proc/sys/kernel/random/uuid").replaceAll("-", ""));
  }

  /**
   * Whether the VF is bound to a network driver, which may have picked the MAC address that the PF
   * reports.
   */
  #hasNetworkDriver(vf: VirtualFunction): boolean {
    const device = vfAddressOf(this.#tree, vf);
    const driver = device === undefined ? undefined : pci.driverOf(this.#tree, device);
    return driver !== undefined && !isVfioDriver(driver);
  }

  #hint({ code }: NetlinkError, { pf }: VirtualFunction, name: VfSetting): string {
    const driver = pci.driverOf(this.#tree, pf) ?? "none";
    if (code === "EOPNOTSUPP" || code === "EPROTONOSUPPORT") return `the PF's driver ${driver} has no such setting`;
    if (code === "EINVAL" && name === "rate")
      return `the PF's driver ${driver} rejected the rate: it may not support a minimum rate, rates above the link speed, or any rate without carrier`;
    return `the PF's driver ${driver} refused it`;
  }
}

/**
 * This many VFs fit an IFLA_VFINFO_LIST, whose length has 16 bits: each takes up to 228 bytes
 * without its statistics.
 */
const maxVfsPerMessage = 280;

function about(state: VfState, vf: VirtualFunction, name: VfSetting): string {
  return `${nameOf(state, vf)}: ${settingNames[name]}`;
}

/** Such as `ens1f0 VF 3`. */
function nameOf({ uplink }: VfState, { index }: VirtualFunction): string {
  return `${uplink} VF ${index}`;
}

function shown(settings: VfSettings, name: VfSetting): string {
  return settingText(settings[name]);
}

/** IFLA_VF_LINK_STATE_* */
const linkStates = ["auto", "enable", "disable"] as const;
/** ETH_P_8021Q and ETH_P_8021AD. */
const protocols = { "802.1q": 0x8100, "802.1ad": 0x88a8 } as const;

function settingsOf({ mac, vlans, rate, spoofCheck, trust, linkState }: VfInfo): VfSettings {
  const vlan = vlans?.vlan;
  const state = linkStates[linkState?.setting ?? -1];
  return {
    ...(mac !== undefined && { mac: mac.mac }),
    ...(vlan !== undefined && {
      vlan: { id: vlan.vlan, qos: vlan.qos, protocol: vlan.protocol === protocols["802.1ad"] ? "802.1ad" : "802.1q" },
    }),
    ...(rate !== undefined && { rate: { least: rate.least, most: rate.most } }),
    ...switchOf("spoofCheck", spoofCheck?.setting),
    ...switchOf("trust", trust?.setting),
    ...(state !== undefined && { linkState: state }),
  };
}

/** A driver reports -1 for a setting that it does not support (rtnl_fill_vfinfo). */
function switchOf(name: "spoofCheck" | "trust", setting: number | undefined): VfSettings {
  return setting === 0 || setting === 1 ? { [name]: setting === 1 } : {};
}

/** One setting in the form of a request. */
function infoOf(vf: number, name: VfSetting, settings: VfSettings): VfInfo {
  const { mac, vlan, rate, spoofCheck, trust, linkState } = settings;
  switch (name) {
    case "mac":
      return { mac: { vf, mac: mac! } };
    case "vlan":
      return { vlans: { vlan: { vf, vlan: vlan!.id, qos: vlan!.qos, protocol: protocols[vlan!.protocol] } } };
    case "rate":
      return { rate: { vf, least: rate!.least, most: rate!.most } };
    case "spoofCheck":
      return { spoofCheck: { vf, setting: spoofCheck ? 1 : 0 } };
    case "trust":
      return { trust: { vf, setting: trust ? 1 : 0 } };
    case "linkState":
      return { linkState: { vf, setting: linkStates.indexOf(linkState!) } };
  }
}
