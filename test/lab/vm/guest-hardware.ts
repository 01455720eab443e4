// A guest's hardware, and the launcher's place in the pod that it is started from: user 107 without
// capabilities, with the device files that the pod has.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { closeSync, openSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import type { Readable, Writable } from "node:stream";
import type { Namespace } from "../../harness/namespaces.ts";
import { type Built, bareMachine, build, kernelCommandLine } from "./qemu.ts";

/**
 * What a guest's NICs are, and where: eth0 is a virtio NIC, or there is one eth<n> for each virtual
 * function.
 */
export type VirtualMachineOptions = { readonly namespace: Namespace } & (VirtioNic | VirtualFunctions);

type VirtioNic = {
  readonly mac: string;
  /**
   * 1 unless told. With more, which the tap must be made for (multi_queue), it has as many CPUs,
   * and so uses all of them.
   */
  readonly queues?: number;
  /** What the hypervisor tells it that eth0's MTU is; not told unless given. */
  readonly mtu?: number;
} & (
  | {
      /** A persistent tap that user 107 owns. QEMU opens it by TUNSETIFF, as libvirt does. */
      readonly tap: string;
    }
  | {
      /**
       * One that waits for a guest: QEMU sends frames through its socket, or shares the guest's
       * memory with it. One queue.
       */
      readonly passt: { readonly socket: string };
      readonly vhostUser: boolean;
    }
);

interface VirtualFunctions {
  /**
   * PCI addresses of functions on vfio-pci, each in an IOMMU group of its own: eth0, eth1, … by
   * igbvf, in that order.
   */
  readonly functions: readonly string[];
}

/** MiB. */
const memory = 256;

/**
 * Starts QEMU, whose standard streams are the guest's serial line, with nothing in it yet that was
 * not asked for.
 */
export function spawnGuest(options: VirtualMachineOptions): ChildProcessByStdio<Writable, Readable, Readable> {
  const built = build();
  const { cpus, devices, place } = "functions" in options ? passedThrough(options) : paravirtual(options);
  // Where user 107 has no way into the checkout's directory, it has the files open.
  const files = [built.kernel, built.guestInitrd].map((file) => openSync(file, "r"));
  const args = [...kernel(built, cpus), ...devices];
  const script = `set -e\n${place}
    exec setpriv --reuid 107 --regid 107 --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs --pdeathsig KILL qemu-system-x86_64 "$@"`;
  // A mount namespace, which ends with it.
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
  /** What root does in the launcher's mount namespace before QEMU starts: shell commands. */
  readonly place: string;
}

/**
 * Its own /dev/net/tun (and /dev/kvm), which user 107 may open, as virt-handler makes them in a
 * pod.
 */
const ownDevices = `mount -t tmpfs tmpfs /dev/net
    mknod -m 666 /dev/net/tun c 10 200
    if [ -e /dev/kvm ]; then mknod -m 666 /dev/net/kvm c 10 232; mount --bind /dev/net/kvm /dev/kvm; fi`;

function paravirtual(options: VirtioNic): Hardware {
  const { mac, queues = 1, mtu } = options;
  const multiple = queues > 1 ? `,mq=on,vectors=${2 * queues + 2}` : "";
  const nic = `virtio-net-pci,netdev=net0,mac=${mac},romfile=${multiple}${mtu ? `,host_mtu=${mtu}` : ""}`;
  return { cpus: queues, devices: [...netdev(options, queues), "-device", nic], place: ownDevices };
}

/** What the NIC is connected to: net0, as libvirt writes it (qemu_command.c, qemu_passt.c). */
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
 * As a device plugin and virt-handler have it: of /dev/vfio the functions' groups alone, which user
 * 107 owns (prepareVFIO), and a limit of locked memory that
 * is the guest's and 1 GiB (GetMemoryOverhead, as libvirt's qemuDomainGetMemLockLimitBytes). DMA is
 * to reach all of the guest's memory, and so all of it is locked.
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
