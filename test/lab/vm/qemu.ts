// What the machine and the guests have in common: what `test/lab/vm/build` made, and QEMU's
// arguments for a kernel that starts quickly.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The checkout's directory. */
export const checkout = fileURLToPath(new URL("../../..", import.meta.url)).replace(/\/$/, "");
/** Where downloads are kept, and what failing tests leave. */
export const cache = `${checkout}/.cache/vm`;

/** What `test/lab/vm/build` made. */
export interface Built {
  /** A Linux kernel as an ELF file, which QEMU enters directly (PVH). */
  readonly kernel: string;
  /** The directory with that kernel's modules, as /usr/lib/modules has them. */
  readonly modules: string;
  readonly machineInitrd: string;
  readonly guestInitrd: string;
  /** KVM where it works, else emulation. */
  readonly accelerator: "kvm" | "tcg";
}

/**
 * Makes all that is missing: up to a minute and with network access at first, then in 0.1 s. Throws
 * where it cannot, having said why on standard error.
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

/** QEMU's arguments for a machine without any device that is not asked for; memory in MiB. */
export function bareMachine({ accelerator }: Built, cpus: number, memory: number): string[] {
  // With KVM, interrupt remapping needs an interrupt controller of QEMU's own. la57 would make
  // emulation walk a fifth level of page tables.
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
 * The kernel's command line: quiet, its end is the machine's end, and nothing is measured or tested
 * that is known (saves 1 s of emulation).
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
