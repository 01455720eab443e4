// A virtual machine at the far end of a tap or of a passt, run as KubeVirt's virt-launcher runs one: QEMU as user 107 without capabilities, in the pod's namespace.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import type { Namespace } from "../harness/namespaces.ts";
import type { Scope } from "../harness/scope.ts";
import { bareMachine, build, kernelCommandLine } from "./qemu.ts";

export type VirtualMachineOptions = CommonOptions &
  (
    | {
        /** A persistent tap that user 107 owns. QEMU opens it by TUNSETIFF, as libvirt does. */
        readonly tap: string;
      }
    | {
        /** One that waits for a guest: QEMU sends frames through its socket, or shares the guest's memory with it. One queue. */
        readonly passt: { readonly socket: string };
        readonly vhostUser: boolean;
      }
  );

interface CommonOptions {
  /** Where the tap or the passt is. */
  readonly namespace: Namespace;
  /** Its NIC's, eth0 in it. */
  readonly mac: string;
  /** 1 unless told. With more, which the tap must be made for (multi_queue), it has as many CPUs, and so uses all of them. */
  readonly queues?: number;
  /** What the hypervisor tells it that eth0's MTU is; not told unless given. */
  readonly mtu?: number;
}

/** What a command in a guest left; the output is standard output and error in their order. */
export interface GuestOutcome {
  readonly status: number;
  readonly output: string;
}

/** Brings eth0 up and takes a lease: the shell command for it. The lease's options are then in /lease, as udhcpc names them. */
export const takeLease =
  "ip link set eth0 up; udhcpc -f -q -n -i eth0 -t 20 -T 1 -O mtu -O staticroutes -O search -s /etc/udhcpc";

/** Milliseconds: 3 s is usual, and 90 s where a machine that is itself emulated emulates it. */
const startTimeout = 300_000;

/** MiB. */
const memory = 256;

/** Starts one, and resolves when its shell takes commands. Throws with the end of its console's log, which has QEMU's complaints, otherwise. */
export async function startVirtualMachine(scope: Scope, options: VirtualMachineOptions): Promise<VirtualMachine> {
  const machine = new VirtualMachine("tap" in options ? options.tap : "passt", qemu(options));
  scope.teardown(() => machine.stop());
  await machine.started;
  return machine;
}

/** See {@link startVirtualMachine}. */
export class VirtualMachine {
  readonly started: Promise<void>;
  readonly #name: string;
  readonly #qemu: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lookers = new Set<() => void>();
  readonly #closed: Promise<void>;
  #console = "";
  #startTime = 0;
  #commands = 0;
  #ended = false;

  constructor(name: string, process: ChildProcessByStdio<Writable, Readable, Readable>) {
    this.#name = name;
    this.#qemu = process;
    // After its death there is nothing to write to: what matters then is what it said.
    process.stdin.on("error", () => undefined);
    for (const stream of [process.stdout, process.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.#console += text;
        this.#look();
      });
    }
    this.#closed = new Promise((resolve) => {
      process.once("close", () => {
        this.#ended = true;
        this.#look();
        resolve();
      });
    });
    const begin = performance.now();
    this.started = this.#said(/^guest:ready\n/m, 0, startTimeout).then(() => {
      this.#startTime = Math.round(performance.now() - begin);
    });
  }

  /** Everything on its serial line so far. */
  get console(): string {
    return this.#console;
  }

  /** QEMU's process. */
  get pid(): number {
    return this.#qemu.pid!;
  }

  /** Milliseconds from its start until it took commands. */
  get startTime(): number {
    return this.#startTime;
  }

  /** Runs a shell script in it, whatever its exit status is, one at a time. Throws where it does not end within `timeout` milliseconds. */
  async attempt(script: string, timeout = 60_000): Promise<GuestOutcome> {
    this.#commands += 1;
    const from = this.#console.length;
    this.#qemu.stdin.write(
      `sh -c '${script.replaceAll("'", "'\\''")}' </dev/null; echo "guest:${this.#commands}:$?"\n`,
    );
    const end = new RegExp(`^(?<output>[^]*?)guest:${this.#commands}:(?<status>\\d+)\n`);
    const groups = (await this.#said(end, from, timeout)).groups!;
    return { status: Number(groups["status"]), output: groups["output"]! };
  }

  /** The output of a shell script that succeeds; throws where its exit status is not 0. */
  async run(script: string, timeout?: number): Promise<string> {
    const { status, output } = await this.attempt(script, timeout);
    if (status !== 0) throw new Error(`${this.#name}'s guest: ${script}: exit status is ${status}, not 0\n${output}`);
    return output;
  }

  /** Pulls its plug: the tap loses its carrier. */
  async stop(): Promise<void> {
    this.#qemu.kill("SIGKILL");
    await this.#closed;
  }

  /** What its console says after its first `from` characters. */
  async #said(pattern: RegExp, from: number, timeout: number): Promise<RegExpExecArray> {
    return await new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        clearTimeout(timer);
        this.#lookers.delete(look);
        settle();
      };
      const fail = (fact: string): void => {
        const last = this.#console.trimEnd().split("\n").slice(-20).join("\n");
        end(() => reject(new Error(`${this.#name}'s guest: ${fact}; its console ended with:\n${last}`)));
      };
      const look = (): void => {
        const found = pattern.exec(this.#console.slice(from));
        if (found) end(() => resolve(found));
        else if (this.#ended) fail("ended by itself");
      };
      const timer = setTimeout(() => fail(`said nothing that matches ${pattern} within ${timeout} ms`), timeout);
      this.#lookers.add(look);
      look();
    });
  }

  #look(): void {
    for (const look of [...this.#lookers]) look();
  }
}

/** What the NIC is connected to: net0, as libvirt writes it (qemu_command.c, qemu_passt.c). */
function netdev(options: VirtualMachineOptions, queues: number): string[] {
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

function qemu(options: VirtualMachineOptions): ChildProcessByStdio<Writable, Readable, Readable> {
  const { namespace, mac, queues = 1, mtu } = options;
  const built = build();
  const multiple = queues > 1 ? `,mq=on,vectors=${2 * queues + 2}` : "";
  // Where user 107 has no way into the checkout's directory, it has the files open.
  const files = [built.kernel, built.guestInitrd].map((file) => openSync(file, "r"));
  const args = [
    ...bareMachine(built, queues, memory),
    ...["-kernel", "/proc/self/fd/3", "-initrd", "/proc/self/fd/4", "-append", kernelCommandLine(built)],
    ...netdev(options, queues),
    ...["-device", `virtio-net-pci,netdev=net0,mac=${mac},romfile=${multiple}${mtu ? `,host_mtu=${mtu}` : ""}`],
  ];
  // Its own /dev/net/tun (and /dev/kvm), which user 107 may open, as virt-handler makes them in a pod; in a mount namespace that ends with it.
  const script = `set -e
    mount -t tmpfs tmpfs /dev/net
    mknod -m 666 /dev/net/tun c 10 200
    if [ -e /dev/kvm ]; then mknod -m 666 /dev/net/kvm c 10 232; mount --bind /dev/net/kvm /dev/kvm; fi
    exec setpriv --reuid 107 --regid 107 --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs --pdeathsig KILL qemu-system-x86_64 "$@"`;
  const command = [`--net=${namespace.path}`, "unshare", "--mount", "sh", "-c", script, "sh", ...args];
  try {
    const child = spawn("nsenter", command, { stdio: ["pipe", "pipe", "pipe", ...files], cwd: "/" });
    return child as ChildProcessByStdio<Writable, Readable, Readable>;
  } finally {
    for (const file of files) closeSync(file);
  }
}
