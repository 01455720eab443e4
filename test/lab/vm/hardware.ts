// The machine's hardware: two igb NICs with SR-IOV behind root ports and an IOMMU, and the variants
// in which something of it is missing.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { bareMachine, build, checkout, kernelCommandLine } from "./qemu.ts";

/** What may be left out of it; all is there unless told. */
export interface Hardware {
  /** Whether there is an IOMMU. Without, no function has an IOMMU group. */
  readonly iommu?: boolean;
  /**
   * Whether the root ports isolate (ACS): each function has an IOMMU group of its own. Without, a
   * NIC, its VFs and its root port share a non-viable one.
   */
  readonly acs?: boolean;
  /**
   * Whether the IOMMU remaps interrupts. Without, VFIO demands its module's parameter
   * allow_unsafe_interrupts.
   */
  readonly interruptRemapping?: boolean;
}

/**
 * The machines that differ, by what `test/lab/vm/run` calls them (`--without-acs`), and
 * test/lab/sriov the folder with the tests that need one.
 */
export const variants = {
  "without-iommu": { iommu: false },
  "without-acs": { acs: false },
  "without-interrupt-remapping": { interruptRemapping: false },
} as const satisfies Readonly<Record<string, Hardware>>;

/**
 * Starts QEMU, which shares the host's tree, read-only, and `directory`, where the console's log
 * is. Both NICs (eth0, eth1) are on one hub, so that each is
 * the outside peer of the other's VFs.
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
    // One CPU: emulating two takes more time than it saves, since each waits for the other's TLB
    // and RCU; and QEMU 10.0 dies once in a while where one makes
    // VFs and the other is at a device's registers (iotlb_to_section: Assertion `section_index <
    // d->map.sections_nb' failed).
    // VF registers read 0 where memory reaches above 2816 MiB.
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
    // However its parent ends, it is not left behind.
    return spawn("setpriv", ["--pdeathsig", "KILL", "qemu-system-x86_64", ...args], {
      stdio: ["pipe", console, console],
    });
  } finally {
    closeSync(console);
  }
}
