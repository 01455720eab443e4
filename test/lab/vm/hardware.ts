// Starts QEMU with the machine's hardware: two igb NICs with SR-IOV behind root ports, and an
// IOMMU. In the variants one of these features is missing.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { bareMachine, build, checkout, kernelCommandLine } from "./qemu.ts";

/** The features that a machine can lack. Default: it has all of them. */
export interface Hardware {
  /** Whether the machine has an IOMMU. Without one, functions have no IOMMU group. */
  readonly iommu?: boolean;
  /**
   * Whether the root ports isolate their devices (ACS), so that each function has its own IOMMU
   * group. Otherwise a NIC, its VFs and its root port share a group that is not viable.
   */
  readonly acs?: boolean;
  /**
   * Whether the IOMMU remaps interrupts. Otherwise VFIO requires its module's parameter
   * allow_unsafe_interrupts.
   */
  readonly interruptRemapping?: boolean;
}

/**
 * The variants by name. The names are options of `test/lab/vm/run` (`--without-acs`), and folders
 * of test/lab/sriov with the tests for that variant.
 */
export const variants = {
  "without-iommu": { iommu: false },
  "without-acs": { acs: false },
  "without-interrupt-remapping": { interruptRemapping: false },
} as const satisfies Readonly<Record<string, Hardware>>;

/**
 * Starts QEMU. It shares the host's file system read-only, and `directory`, which also holds the
 * console's log, writable.
 *
 * Both NICs (eth0, eth1) are on one hub, so that each is an outside peer for the other's VFs.
 */
export function spawnMachine(
  { iommu = true, acs = true, interruptRemapping = true }: Hardware,
  directory: string,
): ChildProcess {
  const built = build();
  const share = (id: string, tag: string, path: string, more: string): string[] => [
    ...["-fsdev", `local,id=${id},path=${path},security_model=none,multidevs=remap${more}`],
    ...["-device", `virtio-9p-pci,fsdev=${id},mount_tag=${tag}`],
  ];
  const nic = (number: number): string[] => [
    ...["-device", `pcie-root-port,id=port${number},chassis=${number},slot=${number}${acs ? "" : ",disable-acs=on"}`],
    ...["-netdev", `hubport,id=net${number},hubid=1`],
    ...["-device", `igb,bus=port${number},netdev=net${number},mac=52:54:00:aa:00:0${number},romfile=`],
  ];
  const remapping = interruptRemapping ? "on" : "off";
  const kernel = [`lab=${checkout}`, `modules=${built.modules}`, ...(iommu ? ["intel_iommu=on"] : [])];
  const args = [
    // One CPU: emulating two takes more time than it saves, because each waits for the other's TLB
    // flushes and RCU.
    //
    // Also, QEMU 10.0 sometimes aborts if one CPU creates VFs while the other accesses a device's
    // registers (iotlb_to_section: Assertion `section_index < d->map.sections_nb' failed).
    //
    // VF registers read as 0 if memory extends above 2816 MiB.
    ...bareMachine(built, 1, 2048),
    ...["-device", "virtio-rng-pci"],
    ...share("host", "hostroot", "/", ",readonly=on"),
    ...share("lab", "lab", directory, ""),
    ...(iommu ? ["-device", `intel-iommu,intremap=${remapping},device-iotlb=on`] : []),
    ...nic(1),
    ...nic(2),
    ...["-kernel", built.kernel, "-initrd", built.machineInitrd, "-append", kernelCommandLine(built, ...kernel)],
  ];
  const console = openSync(`${directory}/console.log`, "a");
  try {
    // QEMU is killed when its parent ends, however that ends.
    return spawn("setpriv", ["--pdeathsig", "KILL", "qemu-system-x86_64", ...args], {
      stdio: ["pipe", console, console],
    });
  } finally {
    closeSync(console);
  }
}
