// Starts QEMU with a guest's hardware as virt-launcher does: in the pod's network namespace, as
// user 107 without capabilities, with the pod's device files.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { closeSync, openSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import type { Readable, Writable } from "node:stream";
import type { Namespace } from "../../harness/namespaces.ts";
import { type Built, bareMachine, build, kernelCommandLine } from "./qemu.ts";

/**
 * The guest's NICs and their pod: either one virtio NIC, eth0, or one eth<n> per virtual function.
 */
export type VirtualMachineOptions = { readonly namespace: Namespace } & (VirtioNic | VirtualFunctions);

type VirtioNic = {
  readonly mac: string;
  /**
   * The number of queues. Default: 1.
   *
   * The tap must have been created with multi_queue for more than one. The guest then has as many
   * CPUs, so that it uses all queues.
   */
  readonly queues?: number;
  /** The MTU of eth0 that the hypervisor passes to the guest. Default: it passes none. */
  readonly mtu?: number;
} & (
  | {
      /**
       * A persistent tap that belongs to user 107. QEMU opens it with TUNSETIFF, as libvirt does.
       */
      readonly tap: string;
    }
  | {
      /**
       * A passt that waits for a guest. QEMU sends frames through its socket, or shares the guest's
       * memory with it. Such a NIC has one queue.
       */
      readonly passt: { readonly socket: string };
      readonly vhostUser: boolean;
    }
);

interface VirtualFunctions {
  /**
   * PCI addresses of functions that are bound to vfio-pci, each in its own IOMMU group. The guest's
   * igbvf names them eth0, eth1, … in this order.
   */
  readonly functions: readonly string[];
}

/** MiB. */
const memory = 256;

/**
 * Starts QEMU without any device that was not requested. Its standard streams are the guest's
 * serial line.
 */
export function spawnGuest(options: VirtualMachineOptions): ChildProcessByStdio<Writable, Readable, Readable> {
  const built = build();
  const { cpus, devices, place } = "functions" in options ? passedThrough(options) : paravirtual(options);
  // User 107 may have no access to the checkout's directory, so QEMU inherits open files.
  const files = [built.kernel, built.guestInitrd].map((file) => openSync(file, "r"));
  const args = [...kernel(built, cpus), ...devices];
  const script = `set -e\n${place}
    exec setpriv --reuid 107 --regid 107 --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs --pdeathsig KILL qemu-system-x86_64 "$@"`;
  // The mount namespace ends with QEMU.
  const command = [`--net=${options.namespace.path}`, "unshare", "--mount", "sh", "-c", script, "sh", ...args];
  try {
    const child = spawn("nsenter", command, { stdio: ["pipe", "pipe", "pipe", ...files], cwd: "/" });
    return child as ChildProcessByStdio<Writable, Readable, Readable>;
  } finally {
    for (const file of files) closeSync(file);
  }
}

function kernel(built: Built, cpus: number): string[] {
  const files = ["-kernel", "/proc/self/fd/3", "-initrd", "/proc/self/fd/4"];
  return [...bareMachine(built, cpus, memory), ...files, "-append", kernelCommandLine(built)];
}

interface Hardware {
  readonly cpus: number;
  /** QEMU's arguments. */
  readonly devices: readonly string[];
  /** Shell commands that root runs in the mount namespace before QEMU starts. */
  readonly place: string;
}

/** Creates /dev/net/tun and /dev/kvm, which user 107 can open, as virt-handler does in a pod. */
const ownDevices = `mount -t tmpfs tmpfs /dev/net
    mknod -m 666 /dev/net/tun c 10 200
    if [ -e /dev/kvm ]; then mknod -m 666 /dev/net/kvm c 10 232; mount --bind /dev/net/kvm /dev/kvm; fi`;

function paravirtual(options: VirtioNic): Hardware {
  const { mac, queues = 1, mtu } = options;
  const multiple = queues > 1 ? `,mq=on,vectors=${2 * queues + 2}` : "";
  const nic = `virtio-net-pci,netdev=net0,mac=${mac},romfile=${multiple}${mtu ? `,host_mtu=${mtu}` : ""}`;
  return { cpus: queues, devices: [...netdev(options, queues), "-device", nic], place: ownDevices };
}

/**
 * Returns QEMU's arguments for net0, to which the NIC is connected, as libvirt writes them
 * (qemu_command.c, qemu_passt.c).
 */
function netdev(options: VirtioNic, queues: number): string[] {
  if ("tap" in options) {
    const multiple = queues > 1 ? `,queues=${queues}` : "";
    return ["-netdev", `tap,id=net0,ifname=${options.tap},script=no,downscript=no,vhost=off${multiple}`];
  }
  const { passt, vhostUser } = options;
  if (!vhostUser) return ["-netdev", `stream,id=net0,server=off,addr.type=unix,addr.path=${passt.socket}`];
  return [
    ...["-object", `memory-backend-memfd,id=memory,size=${memory}M,share=on`, "-machine", "memory-backend=memory"],
    ...["-chardev", `socket,id=passt,path=${passt.socket}`, "-netdev", "vhost-user,id=net0,chardev=passt"],
  ];
}

/**
 * Returns the hardware and the commands for virtual functions, as a device plugin and virt-handler
 * prepare them.
 *
 * - /dev/vfio holds only the groups of the functions, and they belong to user 107 (prepareVFIO).
 * - The limit of locked memory is the guest's memory plus 1 GiB (GetMemoryOverhead, as libvirt's
 *   qemuDomainGetMemLockLimitBytes). DMA must reach all of the guest's memory, so all of it is
 *   locked.
 */
function passedThrough({ functions }: VirtualFunctions): Hardware {
  const groups = functions.map((address) => basename(readlinkSync(`/sys/bus/pci/devices/${address}/iommu_group`)));
  const place = `${ownDevices}
    mkdir /dev/net/vfio
    cd /dev/vfio
    cp -a vfio ${groups.join(" ")} /dev/net/vfio
    cd /dev/net/vfio
    chmod 666 vfio
    chown 107:107 ${groups.join(" ")}
    cd /
    mount --bind /dev/net/vfio /dev/vfio
    ulimit -l ${(memory + 1024) * 1024}`;
  return { cpus: 1, devices: functions.flatMap((address) => ["-device", `vfio-pci,host=${address}`]), place };
}
