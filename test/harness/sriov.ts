// SR-IOV and VFIO through sysfs and ioctls, never with our own code: for tests that run in the
// lab's machine (test/lab/vm).
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readlinkSync, realpathSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Scope } from "./scope.ts";

/** A virtual function. */
export interface Vf {
  /** Its PCI address, such as `0000:01:10.0`. */
  readonly address: string;
  /** The network device of its physical function, as it was when the VF was made. */
  readonly pf: string;
  /** Its number there. */
  readonly index: number;
}

/** Where sysfs has a PCI device. */
export function pciPath(address: string): string {
  return `/sys/bus/pci/devices/${address}`;
}

/**
 * Makes `count` VFs of the physical function that is the network device `pf` (which must have
 * none), until `scope` ends: whoever opened one by VFIO has to
 * have ended by then. Their own driver takes them unless `probe` is false.
 */
export function createVfs(scope: Scope, pf: string, count: number, { probe = true } = {}): Vf[] {
  const device = realpathSync(`/sys/class/net/${pf}/device`);
  writeFileSync(`${device}/sriov_drivers_autoprobe`, probe ? "1" : "0");
  writeFileSync(`${device}/sriov_numvfs`, `${count}`);
  scope.teardown(() => writeFileSync(`${device}/sriov_numvfs`, "0"));
  return Array.from({ length: count }, (_, index) => ({
    pf,
    index,
    address: basename(readlinkSync(`${device}/virtfn${index}`)),
  }));
}

/** The driver that a PCI device is bound to, such as `igbvf`. */
export function driverOf(address: string): string | undefined {
  return target(`${pciPath(address)}/driver`);
}

/** A PCI device's IOMMU group, such as `12`; undefined without an IOMMU. */
export function groupOf(address: string): string | undefined {
  return target(`${pciPath(address)}/iommu_group`);
}

/** The PCI addresses of all devices in an IOMMU group. */
export function devicesIn(group: string): string[] {
  return readdirSync(`/sys/kernel/iommu_groups/${group}/devices`).sort();
}

/** The network device that a PCI device has in this namespace, such as `eth2`. */
export function netdevOf(address: string): string | undefined {
  const directory = `${pciPath(address)}/net`;
  return existsSync(directory) ? readdirSync(directory)[0] : undefined;
}

/**
 * Takes a PCI device from its driver, if it has one, and offers it to `driver` alone. Throws where
 * that does not take it: the kernel says nothing.
 */
export function bindTo(address: string, driver: string): void {
  if (driverOf(address) !== undefined) writeFileSync(`${pciPath(address)}/driver/unbind`, address);
  writeFileSync(`${pciPath(address)}/driver_override`, driver);
  writeFileSync("/sys/bus/pci/drivers_probe", address);
  const found = driverOf(address);
  if (found !== driver) throw new Error(`${address}: driver is ${found ?? "none"}, not ${driver}`);
}

/** Has VFIO take devices whose interrupts the IOMMU does not remap, until `scope` ends. */
export function allowUnsafeInterrupts(scope: Scope): void {
  const parameter = "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts";
  writeFileSync(parameter, "Y");
  scope.teardown(() => writeFileSync(parameter, "N"));
}

/** What a hypervisor finds out about a group: test/harness/vfio.py says it. */
export interface VfioAnswer {
  /** VFIO_GROUP_GET_STATUS has VFIO_GROUP_FLAGS_VIABLE. */
  readonly viable?: boolean;
  /**
   * The vendor's and the device's ID, from the configuration space behind the device's descriptor,
   * such as `8086:10ca`.
   */
  readonly ids?: string;
  /** What did not work, after which nothing was tried, and why. */
  readonly failed?: {
    readonly step: "open" | "status" | "container" | "iommu" | "device" | "region";
    readonly code: string;
  };
}

/** A group, and a device in it, that a process of its own has open. */
export interface OpenVfio {
  readonly answer: VfioAnswer;
  /** Ends that process, and with it what it has open. */
  close(): Promise<void>;
}

/**
 * Opens an IOMMU group as a hypervisor does, and a device in it if one is given, up to what fails:
 * `/dev/vfio/<group>`, VFIO_GROUP_GET_STATUS, a container with a
 * type 1 IOMMU, VFIO_GROUP_GET_DEVICE_FD, the device's configuration space. Open until `close` or
 * until `scope` ends.
 */
export async function openVfio(scope: Scope, group: string, address?: string): Promise<OpenVfio> {
  const script = fileURLToPath(new URL("vfio.py", import.meta.url));
  const child: ChildProcessByStdio<null, Readable, null> = spawn(
    "/usr/bin/python3",
    ["-IS", script, group, ...(address ? [address] : [])],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const exit = once(child, "exit");
  const close = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exit;
  };
  scope.teardown(close);
  const [line] = await Promise.race([
    once(createInterface(child.stdout), "line"),
    exit.then(() => Promise.reject(new Error(`${script}: ended without an answer`))),
  ]);
  return { answer: JSON.parse(line), close };
}

function target(link: string): string | undefined {
  return existsSync(link) ? basename(readlinkSync(link)) : undefined;
}
