// A node's devices, as plans change them: VFs by their PF's link, drivers and files by their paths. Everything that it touches comes in, so that tests can put their own in its place.
import { failuresOf, joined } from "../cni/failure.ts";
import type { Rtnetlink } from "../netlink/client.ts";
import { NetlinkError } from "../netlink/errors.ts";
import { link } from "../netlink/link.ts";
import { linkExtras, linkFlags } from "../netlink/link-header.ts";
import { type VfInfo, type VfLinkMessage, vfLink } from "../netlink/vf.ts";
import type { DeviceKernel } from "../plan/allocations.ts";
import {
  type BindDriver,
  type Binding,
  type ConfigureVf,
  type DeviceChange,
  differing,
  settingNames,
  settingText,
  type VfSetting,
  type VfSettings,
  type WriteFile,
} from "../plan/device.ts";
import * as pci from "../sysfs/pci.ts";
import { addressOf, uplinkOf, type VirtualFunction } from "../sysfs/sriov.ts";
import { isThere, type Tree, text } from "../sysfs/tree.ts";
import * as vfio from "../sysfs/vfio.ts";

/** How long a device that is in use is waited for, a device node, and a driver's network link: milliseconds. */
const patience = { use: 10_000, node: 5_000, link: 5_000 } as const;

/** What a node does beside sysfs and rtnetlink. */
export interface Node {
  /** Loads a kernel module. Throws where it cannot. */
  loadModule(name: string): void;
  /** Puts a file in the place of another, or where none is, whole or not at all. Its directory is made if need be. */
  replaceFile(path: string, text: string): void;
  /** Takes away what a `replaceFile` that was killed may have left beside the path. */
  discardDraft(path: string): void;
  unlink(path: string): void;
}

/** A VF's physical function, and the VF as it tells of it. */
export interface VfState {
  /** The PF's link. */
  readonly uplink: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly settings: VfSettings;
}

/** See {@link DeviceKernel}. Throws NetlinkErrors, HostErrors and Errors. */
export class NodeDevices implements DeviceKernel {
  readonly tree: Tree;
  readonly #rtnl: Rtnetlink;
  readonly #node: Node;

  constructor(tree: Tree, rtnl: Rtnetlink, node: Node) {
    this.tree = tree;
    this.#rtnl = rtnl;
    this.#node = node;
  }

  perform(change: DeviceChange): void {
    switch (change.do) {
      case "configureVf":
        return this.#configure(change);
      case "bindDriver":
        return this.#bind(change);
      case "file":
        return this.#node.replaceFile(change.path, change.to);
    }
  }

  revert(change: DeviceChange): void {
    switch (change.do) {
      case "configureVf":
        return this.#restore(change);
      case "bindDriver":
        return this.#giveBack(change);
      case "file":
        return this.#restoreFile(change);
    }
  }

  differences(change: DeviceChange): string[] {
    switch (change.do) {
      case "configureVf": {
        const { uplink, settings } = this.vf(change);
        return differing(settings, change.to).map(
          (name) => `${this.#about(uplink, change, name)} is ${shown(settings, name)}, not ${shown(change.to, name)}`,
        );
      }
      case "bindDriver": {
        const driver = pci.driverOf(this.tree, change.device);
        return driver === change.to.driver
          ? []
          : [`${change.device}: driver is ${driver ?? "none"}, not ${change.to.driver}`];
      }
      case "file":
        return text(this.tree, change.path) === change.to ? [] : [`${change.path}: is not as ADD wrote it`];
    }
  }

  // ---- VFs

  /** The VF as its PF's link tells of it. */
  vf({ pf, index }: VirtualFunction): VfState {
    const uplink = uplinkOf(this.tree, pf);
    const message = this.#read(uplink);
    const info = message.vfList?.list?.find(({ mac }) => mac?.vf === index);
    if (info === undefined) throw new Error(`${uplink}: tells nothing of its VF ${index}`);
    return { uplink, mtu: message.mtu ?? 0, up: (message.flags & linkFlags.up) !== 0, settings: settingsOf(info) };
  }

  #read(uplink: string): VfLinkMessage {
    return this.#rtnl.get(
      vfLink,
      { name: uplink, extMask: linkExtras.vfs | linkExtras.skipStatistics },
      `${uplink} with its VFs`,
    );
  }

  #configure(change: ConfigureVf): void {
    const { uplink, settings } = this.vf(change);
    for (const name of differing(settings, change.to)) this.#set(uplink, change, name, change.to);
    const found = this.vf(change).settings;
    const wrong = differing(found, change.to).map(
      (name) =>
        `${this.#about(uplink, change, name)} is ${shown(found, name)} although the kernel took ${shown(change.to, name)}`,
    );
    if (wrong.length > 0) throw new Error(wrong.join("; "));
  }

  #restore(change: ConfigureVf): void {
    const { uplink, settings } = this.vf(change);
    const own = this.#hasNetworkDriver(change) && settings.mac !== change.to.mac;
    const names = differing(settings, change.from).filter((name) => name !== "mac" || !own);
    const failures = failuresOf(names.map((name) => () => this.#set(uplink, change, name, change.from)));
    if (names.includes("mac")) failures.push(...failuresOf([() => this.#reload(change)]));
    const [failure, ...others] = failures;
    if (failure !== undefined) throw joined([failure, ...others]);
  }

  #set(uplink: string, vf: VirtualFunction, name: VfSetting, settings: VfSettings): void {
    const { index } = this.#rtnl.get(link, { name: uplink }, uplink);
    try {
      this.#rtnl.set(
        vfLink,
        { index, vfList: { list: [infoOf(vf.index, name, settings)] } },
        this.#about(uplink, vf, name),
      );
    } catch (failure) {
      if (!(failure instanceof NetlinkError)) throw failure;
      throw new Error(`${failure.message}; ${this.#hint(failure, vf, name)}`, { cause: failure });
    }
  }

  /** Whether the VF is a network link's, whose driver may have picked the MAC address that the PF tells. */
  #hasNetworkDriver(vf: VirtualFunction): boolean {
    const device = addressOf(this.tree, vf);
    const driver = device === undefined ? undefined : pci.driverOf(this.tree, device);
    return driver !== undefined && !vfio.isVfioDriver(driver);
  }

  /** Lets a VF's network driver, if one has it, tell the PF anew which MAC address it has picked: the PF forgot when it was told that there is none. */
  #reload(vf: VirtualFunction): void {
    if (!this.#hasNetworkDriver(vf)) return;
    const device = addressOf(this.tree, vf)!;
    const driver = pci.driverOf(this.tree, device);
    const links = pci.linksOf(this.tree, device);
    pci.unbind(this.tree, device);
    this.#handTo(device, { driver, override: pci.overrideOf(this.tree, device) });
    this.#rename(device, links);
  }

  #hint({ code }: NetlinkError, { pf }: VirtualFunction, name: VfSetting): string {
    const driver = pci.driverOf(this.tree, pf) ?? "none";
    if (code === "EOPNOTSUPP" || code === "EPROTONOSUPPORT") return `the PF's driver ${driver} has no such setting`;
    if (code === "EINVAL" && name === "rate")
      return `the PF's driver ${driver} takes no such rate: it may know no least one, none above the link's speed, and none without a carrier`;
    return `the PF's driver ${driver} refused it`;
  }

  #about(uplink: string, { index }: VirtualFunction, name: VfSetting): string {
    return `${uplink} VF ${index}: ${settingNames[name]}`;
  }

  // ---- drivers

  /** Sees that the kernel has a driver, whose module is loaded if need be. Throws an Error where it comes to none. */
  ensureDriver(driver: string): void {
    if (pci.hasDriver(this.tree, driver)) return;
    this.#node.loadModule(driver);
    if (!pci.hasDriver(this.tree, driver))
      throw new Error(`${driver}: its module is loaded, and there is no such PCI driver`);
  }

  #bind({ device, to: { driver } }: BindDriver): void {
    const { tree } = this;
    this.ensureDriver(driver);
    pci.setOverride(tree, device, driver);
    this.#release(device);
    pci.probe(tree, device);
    const found = pci.driverOf(tree, device);
    if (found !== driver)
      throw new Error(
        `${device}: ${driver} did not take it (its driver is ${found ?? "none"}); the kernel's log says why`,
      );
    this.awaitGroup(device);
  }

  /** Waits for the file by which user space opens the device. Throws an Error where it does not come. */
  awaitGroup(device: string): void {
    const group = vfio.groupOf(this.tree, device);
    if (group === undefined) throw new Error(`${device}: is in no IOMMU group`);
    const path = vfio.groupFile(group);
    if (!this.#until(patience.node, () => isThere(this.tree, path)))
      throw new Error(
        `${path}: is not there although ${device} is on a VFIO driver; expected udev or devtmpfs to make it`,
      );
  }

  /** Takes the device from its driver; where that is VFIO's, not before nobody has it open. */
  #release(device: string): void {
    const { tree } = this;
    const driver = pci.driverOf(tree, device);
    const group = driver !== undefined && vfio.isVfioDriver(driver) ? vfio.groupOf(tree, device) : undefined;
    if (group === undefined) pci.unbind(tree, device);
    else vfio.whileUnused(tree, group, patience.use, () => pci.unbind(tree, device));
  }

  #giveBack({ device, from, to, links }: BindDriver): void {
    const { tree } = this;
    const driver = pci.driverOf(tree, device);
    // Somebody has given it to another driver since: only our override is taken back.
    const isOurs = driver === to.driver || driver === undefined;
    if (isOurs && driver !== from.driver) {
      this.#release(device);
      pci.reset(tree, device);
      this.#handTo(device, from);
    } else if (pci.overrideOf(tree, device) !== from.override) pci.setOverride(tree, device, from.override);
    const found = pci.driverOf(tree, device);
    if (isOurs && found !== from.driver)
      throw new Error(`${device}: driver is ${found ?? "none"}, and ${from.driver ?? "none"} did not take it back`);
    if (isOurs || (found === from.driver && this.#areIdle(device, links.length))) this.#rename(device, links);
  }

  /** Whether the device has so many links, and none is up: a call that was killed after its driver had it back did not come to their names. One that is up is somebody's by now. */
  #areIdle(device: string, count: number): boolean {
    const names = pci.linksOf(this.tree, device);
    return (
      names.length === count && names.every((name) => (this.#rtnl.get(link, { name }, name).flags & linkFlags.up) === 0)
    );
  }

  /** Gives a device without driver to that one and no other, and leaves the override as it is to be. */
  #handTo(device: string, { driver, override }: { readonly [K in keyof Binding]?: Binding[K] | undefined }): void {
    if (driver !== undefined) {
      pci.setOverride(this.tree, device, driver);
      pci.probe(this.tree, device);
    }
    if (pci.overrideOf(this.tree, device) !== override) pci.setOverride(this.tree, device, override);
  }

  /** Gives the device's network links the names that they had. */
  #rename(device: string, names: readonly string[]): void {
    if (names.length === 0) return;
    if (!this.#until(patience.link, () => pci.linksOf(this.tree, device).length >= names.length))
      throw new Error(`${device}: its driver made no network link, expected ${names.join(", ")}`);
    const found = pci.linksOf(this.tree, device);
    const nameless = names.filter((name) => !found.includes(name));
    for (const [position, old] of found.filter((name) => !names.includes(name)).entries()) {
      const name = nameless[position];
      if (name === undefined) return;
      const { index } = this.#rtnl.get(link, { name: old }, old);
      // A link's name can be changed only while it is down.
      this.#rtnl.set(link, { index, flags: 0, change: linkFlags.up }, old);
      this.#name(index, old, name);
    }
  }

  /**
   * Names a link that is down. Where another one has the name it is waited for, under one that nobody wants (udev's): it may be waiting for this one's, which the kernel gave by chance.
   * Where that keeps the name, what the kernel gave has to do: a VF must not be lost for a name.
   */
  #name(index: number, old: string, name: string): void {
    const attempt = (wanted: string): boolean => {
      try {
        this.#rtnl.set(link, { index, name: wanted }, `${old} to ${wanted}`);
        return true;
      } catch (failure) {
        if (failure instanceof NetlinkError && failure.code === "EEXIST") return false;
        throw failure;
      }
    };
    if (attempt(name)) return;
    attempt(`rename${index}`);
    if (!this.#until(patience.link, () => attempt(name))) attempt(old);
  }

  #until(milliseconds: number, condition: () => boolean): boolean {
    const end = this.tree.monotonic() + milliseconds;
    while (!condition()) {
      if (this.tree.monotonic() >= end) return false;
      this.tree.sleep(10);
    }
    return true;
  }

  // ---- files

  #restoreFile({ path, from, to }: WriteFile): void {
    this.#node.discardDraft(path);
    // Multus takes the file away by itself, and what somebody else wrote is theirs.
    if (text(this.tree, path) !== to) return;
    if (from === undefined) this.#node.unlink(path);
    else this.#node.replaceFile(path, from);
  }
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

/** What the driver does not know is -1 (rtnl_fill_vfinfo). */
function switchOf(name: "spoofCheck" | "trust", setting: number | undefined): VfSettings {
  return setting === 0 || setting === 1 ? { [name]: setting === 1 } : {};
}

/** One setting as it is sent. */
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
