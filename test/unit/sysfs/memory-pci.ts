// What the kernel does with writes to PCI's files in sysfs, as the lab's (captures/) does it:
// overrides, drivers, VFIO's groups, VFs, and the links of network drivers.
import { hostError, MemoryFiles, parentOf } from "./memory-files.ts";

/** A VF as its PF knows it. */
export interface VfTable {
  mac: string;
  /**
   * Whether an administrator set the MAC address: else it is none, or one that the VF's driver
   * picked.
   */
  isAdministrative: boolean;
  vlan: number;
  qos: number;
  protocol: number;
  least: number;
  most: number;
  spoofCheck: number;
  trust: number;
  linkState: number;
}

/** A network link of a PCI device. */
export interface NetLink {
  name: string;
  readonly index: number;
  readonly device: string;
  readonly mac: string;
  up: boolean;
  /** The path of the namespace that it is in; absent for the node's own. */
  netns?: string;
}

export const noMac = "00:00:00:00:00:00";
const devices = "/sys/bus/pci/devices";
const drivers = "/sys/bus/pci/drivers";

/** Which driver takes a device that none is named for. */
const usual: Readonly<Record<string, string>> = { "0x10c9\n": "igb", "0x10ca\n": "igbvf", "0x000c\n": "pcieport" };

export class MemoryPci {
  readonly files = new MemoryFiles();
  readonly links: NetLink[] = [];
  /** By the PF's address. */
  readonly vfs = new Map<string, VfTable[]>();
  /** Drivers whose probe fails. */
  readonly failing = new Set<string>();
  /**
   * Who has a group open; with `device` also a device in it, so that unbinding waits for its end.
   */
  readonly holders = new Map<string, { readonly pid: number; readonly comm: string; readonly device?: boolean }>();
  /** The addresses of devices that were reset. */
  readonly resets: string[] = [];
  #chance = 0;
  #index = 100;

  // ---- what is there

  directoryOf(address: string): string {
    return this.files.find(`${devices}/${address}/`, { syscall: "stat" }).path;
  }

  driverOf(address: string): string | undefined {
    return this.#target(`${devices}/${address}/driver`);
  }

  groupOf(address: string): string | undefined {
    return this.#target(`${devices}/${address}/iommu_group`);
  }

  /** The table's row for a VF, if it is one. */
  rowOf(address: string): VfTable | undefined {
    const pf = this.#target(`${devices}/${address}/physfn`);
    if (pf === undefined) return undefined;
    const names = this.files.names(`${devices}/${pf}`).filter((name) => name.startsWith("virtfn"));
    const name = names.find((one) => this.#target(`${devices}/${pf}/${one}`) === address);
    return this.vfs.get(pf)?.[Number(name?.slice("virtfn".length))];
  }

  #target(path: string): string | undefined {
    return this.files.has(path) ? this.files.target(path).split("/").at(-1) : undefined;
  }

  // ---- what writing does

  /** A write(2) to a file that is there. */
  write(path: string, text: string): void {
    const { path: real } = this.files.find(path);
    const name = real.slice(real.lastIndexOf("/") + 1);
    const owner = parentOf(real).split("/").at(-1)!;
    if (real === "/sys/bus/pci/drivers_probe") return this.probe(this.#device(text, path));
    if (real === `${drivers}/${owner}/unbind`) return this.#unbindFrom(owner, text, path);
    if (real === `${drivers}/${owner}/bind`) return this.#bindTo(owner, text, path);
    if (name === "driver_override" && text !== "") {
      const driver = text.replace(/\n$/, "");
      return this.files.file(real, `${driver === "" ? "(null)" : driver}\n`);
    }
    if (name === "sriov_numvfs") return this.#resize(owner, Number(text), path);
    if (name === "reset") return this.#reset(owner);
    if (text !== "") this.files.file(real, text);
  }

  #device(address: string, path: string): string {
    if (!this.files.has(`${devices}/${address}`)) throw hostError("ENODEV", "write", path);
    return address;
  }

  /** Offers a device to the driver that may have it. */
  probe(address: string): void {
    if (this.driverOf(address) !== undefined) return;
    const override = this.files.read(`${devices}/${address}/driver_override`).trim();
    const driver = override === "(null)" ? usual[this.files.read(`${devices}/${address}/device`)] : override;
    if (driver !== undefined) this.#take(address, driver);
  }

  /** Whether the driver is there and took the device. */
  #take(address: string, driver: string): boolean {
    if (!this.files.has(`${drivers}/${driver}`) || this.failing.has(driver)) return false;
    if (isVfio(driver) && this.groupOf(address) === undefined) return false;
    const directory = this.directoryOf(address);
    const up = "../".repeat(directory.split("/").length - 2);
    this.files.link(`${directory}/driver`, `${up}bus/pci/drivers/${driver}`);
    if (isVfio(driver)) this.#openToUsers(address, directory);
    else if (driver !== "pcieport" && driver !== "pci-stub") this.#addLink(address, directory);
    return true;
  }

  #bindTo(driver: string, address: string, path: string): void {
    this.#device(address, path);
    const override = this.files.read(`${devices}/${address}/driver_override`).trim();
    const matches =
      override === "(null)" ? usual[this.files.read(`${devices}/${address}/device`)] === driver : override === driver;
    if (!matches) throw hostError("ENODEV", "write", path);
    if (this.driverOf(address) !== undefined) throw hostError("EBUSY", "write", path);
    if (!this.#take(address, driver)) throw hostError("EINVAL", "write", path);
  }

  #unbindFrom(driver: string, address: string, path: string): void {
    if (!this.files.has(`${devices}/${address}`) || this.driverOf(address) !== driver)
      throw hostError("ENODEV", "write", path);
    this.unbind(address);
  }

  /** Takes a device from its driver. */
  unbind(address: string): void {
    const directory = this.directoryOf(address);
    const driver = this.driverOf(address);
    const group = this.groupOf(address);
    if (driver === undefined) return;
    if (isVfio(driver) && this.holders.get(group!)?.device) throw new Error(`${address}: unbinding it would never end`);
    this.#shrink(address);
    this.files.remove(`${directory}/driver`);
    this.files.remove(`${directory}/vfio-dev`);
    for (const { name } of this.links.filter(({ device }) => device === address)) this.#removeLink(name);
    this.files.remove(`${directory}/net`);
    if (isVfio(driver) && !this.#members(group!).some((one) => isVfio(this.driverOf(one) ?? "")))
      this.files.remove(`/dev/vfio/${group}`);
  }

  #members(group: string): string[] {
    return this.files.names(`/sys/kernel/iommu_groups/${group}/devices`);
  }

  #openToUsers(address: string, directory: string): void {
    this.files.file(`/dev/vfio/${this.groupOf(address)}`, "");
    let number = 0;
    while (this.#taken(`vfio${number}`)) number++;
    this.files.directory(`${directory}/vfio-dev/vfio${number}`);
  }

  #taken(name: string): boolean {
    return this.files.names(devices).some((address) => this.files.has(`${devices}/${address}/vfio-dev/${name}`));
  }

  #reset(address: string): void {
    this.resets.push(address);
    const row = this.rowOf(address);
    if (row !== undefined && !row.isAdministrative) row.mac = noMac;
  }

  // ---- network links

  /** A driver's link has the first name that is free, whichever it had before. */
  #addLink(address: string, directory: string): void {
    const row = this.rowOf(address);
    const isChance = row !== undefined && !row.isAdministrative;
    const mac = row?.isAdministrative ? row.mac : `4a:00:00:00:00:${(++this.#chance).toString(16).padStart(2, "0")}`;
    // The driver tells the PF which one it has picked.
    if (isChance) row.mac = mac;
    let number = 0;
    while (this.links.some(({ name }) => name === `eth${number}`)) number++;
    const link: NetLink = { name: `eth${number}`, index: ++this.#index, device: address, mac, up: false };
    this.links.push(link);
    this.files.directory(`${directory}/net`);
    this.#showLink(link, isChance ? "1\n" : "0\n");
  }

  #showLink({ name, device, mac }: NetLink, assigned: string): void {
    const directory = `${this.directoryOf(device)}/net/${name}`;
    this.files.file(`${directory}/address`, `${mac}\n`);
    this.files.file(`${directory}/addr_assign_type`, assigned);
    this.files.file(`${directory}/mtu`, "1500\n");
    this.files.file(`${directory}/phys_port_name`, "", { code: "EOPNOTSUPP" });
    this.files.link(`/sys/class/net/${name}`, `../..${directory.slice("/sys".length)}`);
  }

  #hideLink(name: string): void {
    if (!this.files.has(`/sys/class/net/${name}`)) return;
    this.files.remove(this.files.find(`/sys/class/net/${name}`).path);
    this.files.remove(`/sys/class/net/${name}`);
  }

  #removeLink(name: string): void {
    this.#hideLink(name);
    this.links.splice(
      this.links.findIndex((link) => link.name === name),
      1,
    );
  }

  /** `ip link set dev OLD name NEW`. */
  rename(old: string, name: string): void {
    const link = this.links.find((one) => one.name === old)!;
    const from = this.files.find(`/sys/class/net/${old}`).path;
    const to = `${parentOf(from)}/${name}`;
    for (const [path] of this.files.below(from)) this.files.move(path, `${to}${path.slice(from.length)}`);
    this.files.move(from, to);
    this.files.remove(`/sys/class/net/${old}`);
    this.files.link(`/sys/class/net/${name}`, `../..${to.slice("/sys".length)}`);
    link.name = name;
  }

  /** `ip link set dev NAME netns …`: this sysfs does not show it any more. */
  moveAway(name: string, netns: string): void {
    this.links.find((one) => one.name === name)!.netns = netns;
    this.#hideLink(name);
  }

  // ---- VFs

  #resize(pf: string, count: number, path: string): void {
    const most = Number(this.files.read(`${devices}/${pf}/sriov_totalvfs`));
    if (!Number.isInteger(count) || count < 0 || count > most) throw hostError("ERANGE", "write", path);
    if (count > 0 && this.vfs.get(pf)!.length > 0) throw hostError("EBUSY", "write", path);
    this.#shrink(pf);
    for (let index = 0; index < count; index++) this.#addVf(pf, index);
    // A probe in the midst of it tells the PF nothing.
    for (const row of this.vfs.get(pf)!) row.mac = noMac;
    this.files.file(`${this.directoryOf(pf)}/sriov_numvfs`, `${count}\n`);
  }

  /** All of a PF's VFs go. */
  #shrink(pf: string): void {
    for (const index of this.vfs.get(pf)?.keys() ?? []) {
      const address = this.#target(`${devices}/${pf}/virtfn${index}`)!;
      const directory = this.directoryOf(address);
      const group = this.groupOf(address);
      this.unbind(address);
      this.files.remove(`${this.directoryOf(pf)}/virtfn${index}`);
      this.files.remove(directory);
      this.files.remove(`${devices}/${address}`);
      if (group !== undefined) this.files.remove(`/sys/kernel/iommu_groups/${group}/devices/${address}`);
    }
    if (this.vfs.has(pf)) this.files.file(`${this.directoryOf(pf)}/sriov_numvfs`, "0\n");
    this.vfs.get(pf)?.splice(0);
  }

  /**
   * As igb numbers them: the VFs' functions are 128, 130, … after the PF's. Their groups are those
   * that follow.
   */
  #addVf(pf: string, index: number): void {
    const address = `${pf.slice(0, 8)}${(0x10 + (index >> 2)).toString(16)}.${(2 * index) & 7}`;
    const directory = `${parentOf(this.directoryOf(pf))}/${address}`;
    const up = "../".repeat(directory.split("/").length - 2);
    const group = `${9 + index}`;
    this.files.file(`${directory}/vendor`, "0x8086\n");
    this.files.file(`${directory}/device`, "0x10ca\n");
    this.files.file(`${directory}/class`, "0x020000\n");
    this.files.file(`${directory}/driver_override`, "(null)\n");
    this.files.file(`${directory}/reset`, "");
    this.files.file(`${directory}/reset_method`, "flr\n");
    this.files.link(`${directory}/physfn`, `../${pf}`);
    this.files.link(`${directory}/iommu_group`, `${up}kernel/iommu_groups/${group}`);
    this.files.link(
      `/sys/kernel/iommu_groups/${group}/devices/${address}`,
      `../../../../${directory.slice("/sys/".length)}`,
    );
    this.files.link(`${this.directoryOf(pf)}/virtfn${index}`, `../${address}`);
    this.files.link(`${devices}/${address}`, `../../../${directory.slice("/sys/".length)}`);
    this.vfs.get(pf)!.push(untouched());
    this.probe(address);
  }
}

/** A VF of igb as it begins. */
export function untouched(): VfTable {
  return {
    mac: noMac,
    isAdministrative: false,
    vlan: 0,
    qos: 0,
    protocol: 0x8100,
    least: 0,
    most: 0,
    spoofCheck: 1,
    trust: 0,
    linkState: 0,
  };
}

function isVfio(driver: string): boolean {
  return driver.endsWith("vfio-pci") || driver.endsWith("vfio_pci");
}
