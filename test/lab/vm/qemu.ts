// Provides what the machine and the guests share: the output of `test/lab/vm/build`, and QEMU's
// arguments for a kernel that starts quickly.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The checkout's directory, without a trailing slash. */
export const checkout = fileURLToPath(new URL("../../..", import.meta.url)).replace(/\/$/, "");
/** The directory for downloads and for evidence of failed tests. */
export const cache = `${checkout}/.cache/vm`;

/** The output of `test/lab/vm/build`. */
export interface Built {
  /** A Linux kernel as an ELF file, which QEMU starts directly (PVH). */
  readonly kernel: string;
  /** The directory of that kernel's modules, with the layout of /usr/lib/modules. */
  readonly modules: string;
  readonly machineInitrd: string;
  readonly guestInitrd: string;
  /** KVM if it works, otherwise emulation. */
  readonly accelerator: "kvm" | "tcg";
}

/**
 * Builds everything that is missing, with network access and in up to a minute. Takes 0.1 s if
 * nothing is missing.
 *
 * @throws if that fails. The reason is on standard error.
 */
export function build(): Built {
  execFileSync(`${checkout}/test/lab/vm/build`, { stdio: ["ignore", "inherit", "inherit"] });
  return {
    kernel: `${cache}/kernel/vmlinux`,
    modules: `${cache}/kernel/lib/modules`,
    machineInitrd: `${cache}/machine.cpio`,
    guestInitrd: `${cache}/guest.cpio`,
    accelerator: readFileSync(`${cache}/accelerator`, "utf8").startsWith("kvm ") ? "kvm" : "tcg",
  };
}

/**
 * Returns QEMU's arguments for a machine without any device that was not requested. `memory` is in
 * MiB.
 */
export function bareMachine({ accelerator }: Built, cpus: number, memory: number): string[] {
  // With KVM, interrupt remapping needs QEMU's own interrupt controller. With la57, emulation would
  // walk a fifth level of page tables.
  const cpu =
    accelerator === "kvm"
      ? ["-accel", "kvm,kernel-irqchip=split", "-cpu", "host"]
      : ["-accel", "tcg,thread=multi", "-cpu", "max,la57=off"];
  return [
    ...["-M", "q35", ...cpu, "-smp", `${cpus}`, "-m", `${memory}`],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot"],
  ];
}

/**
 * Returns the kernel's command line. The kernel prints little, QEMU exits when it panics or
 * reboots, and it skips measurements and self-tests (saves 1 s of emulation).
 */
export function kernelCommandLine({ accelerator }: Built, ...more: readonly string[]): string {
  const emulated = accelerator === "tcg" ? ["tsc=reliable", "no_timer_check"] : [];
  return [
    ...["console=ttyS0", "quiet", "panic=-1", "mitigations=off", "nokaslr", "net.ifnames=0", "random.trust_cpu=on"],
    "cryptomgr.notests",
    ...emulated,
    ...more,
  ].join(" ");
}
