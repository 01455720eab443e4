// Controls SR-IOV and VFIO through sysfs and ioctls, without our own code. For tests that run in
// the lab's machine (test/lab/vm).
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readlinkSync, realpathSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Scope } from "./scope.ts";

export interface Vf {
  /** The VF's PCI address, such as `0000:01:10.0`. */
  readonly address: string;
  /** The PF's network device at the time when the VF was created. */
  readonly pf: string;
  /** The VF's number on its PF. */
  readonly index: number;
}

/** The sysfs directory of a PCI device. */
export function pciPath(address: string): string {
  return `/sys/bus/pci/devices/${address}`;
}

/**
 * Creates `count` VFs of the PF with the network device `pf`, until `scope` ends. The PF must have
 * no VFs.
 *
 * A process that has opened a VF by VFIO must have exited before `scope` ends. The VFs' network
 * driver binds to them unless `probe` is false.
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

/** The driver to which a PCI device is bound, such as `igbvf`. */
export function driverOf(address: string): string | undefined {
  return target(`${pciPath(address)}/driver`);
}

/** The IOMMU group of a PCI device, such as `12`. Undefined without an IOMMU. */
export function groupOf(address: string): string | undefined {
  return target(`${pciPath(address)}/iommu_group`);
}

/** The PCI addresses of all devices in an IOMMU group. */
export function devicesIn(group: string): string[] {
  return readdirSync(`/sys/kernel/iommu_groups/${group}/devices`).sort();
}

/** The network device of a PCI device in this network namespace, such as `eth2`. */
export function netdevOf(address: string): string | undefined {
  const directory = `${pciPath(address)}/net`;
  return existsSync(directory) ? readdirSync(directory)[0] : undefined;
}

/**
 * Unbinds a PCI device from its driver, and binds it to `driver`.
 *
 * @throws if the device is not bound to `driver` afterwards: the kernel reports no error.
 */
export function bindTo(address: string, driver: string): void {
  if (driverOf(address) !== undefined) writeFileSync(`${pciPath(address)}/driver/unbind`, address);
  writeFileSync(`${pciPath(address)}/driver_override`, driver);
  writeFileSync("/sys/bus/pci/drivers_probe", address);
  const found = driverOf(address);
  if (found !== driver) throw new Error(`${address}: driver is ${found ?? "none"}, not ${driver}`);
}

/** Allows devices in VFIO without interrupt remapping by the IOMMU, until `scope` ends. */
export function allowUnsafeInterrupts(scope: Scope): void {
  const parameter = "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts";
  writeFileSync(parameter, "Y");
  scope.teardown(() => writeFileSync(parameter, "N"));
}

/** What a hypervisor learns about a group. test/harness/vfio.py prints it. */
export interface VfioAnswer {
  /** Whether VFIO_GROUP_GET_STATUS reports VFIO_GROUP_FLAGS_VIABLE. */
  readonly viable?: boolean;
  /**
   * The vendor ID and the device ID, such as `8086:10ca`. They are read from the device's
   * configuration space, through the device's file descriptor.
   */
  readonly ids?: string;
  /** The step that failed, and its errno. Later steps were not tried. */
  readonly failed?: {
    readonly step: "open" | "status" | "container" | "iommu" | "device" | "region";
    readonly code: string;
  };
}

/** A process that has a group open, and optionally a device in it. */
export interface OpenVfio {
  readonly answer: VfioAnswer;
  /** Ends the process, which closes the group and the device. */
  close(): Promise<void>;
}

/**
 * Opens an IOMMU group as a hypervisor does, and a device in it if `address` is given.
 *
 * The steps are `/dev/vfio/<group>`, VFIO_GROUP_GET_STATUS, a container with a type 1 IOMMU,
 * VFIO_GROUP_GET_DEVICE_FD, and the device's configuration space. It stops at the first step that
 * fails. The group stays open until `close` or until `scope` ends.
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
