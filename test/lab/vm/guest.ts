// Runs a virtual machine as KubeVirt's virt-launcher does, with a tap, a passt or virtual functions
// (guest-hardware.ts).
import type { ChildProcessByStdio } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { Scope } from "../../harness/scope.ts";
import { spawnGuest, type VirtualMachineOptions } from "./guest-hardware.ts";

/**
 * The result of a command in a guest. `output` holds standard output and standard error in their
 * order.
 */
export interface GuestOutcome {
  readonly status: number;
  readonly output: string;
}

/**
 * A shell command that sets eth0 up and requests a DHCP lease. It writes the lease's options to
 * /lease, under the names that udhcpc uses.
 */
export const takeLease =
  "ip link set eth0 up; udhcpc -f -q -n -i eth0 -t 20 -T 1 -O mtu -O staticroutes -O search -s /etc/udhcpc";

/** Milliseconds. A start usually takes 3 s, but 90 s on a machine that is itself emulated. */
const startTimeout = 300_000;

/**
 * Starts a virtual machine. Resolves when its shell accepts commands.
 *
 * Rejects otherwise, with the end of its console's log, which holds QEMU's error messages.
 */
export async function startVirtualMachine(scope: Scope, options: VirtualMachineOptions): Promise<VirtualMachine> {
  const machine = new VirtualMachine(nameOf(options), spawnGuest(options));
  scope.teardown(() => machine.stop());
  await machine.started;
  return machine;
}

/** The machine's name in error messages. */
function nameOf(options: VirtualMachineOptions): string {
  if ("functions" in options) return options.functions.join(", ");
  return "tap" in options ? options.tap : "passt";
}

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
    // After QEMU's exit, writes fail with EPIPE. The console's log says why it exited.
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

  /** The whole output of the serial line so far. */
  get console(): string {
    return this.#console;
  }

  /** The PID of QEMU. */
  get pid(): number {
    return this.#qemu.pid!;
  }

  /** Milliseconds from QEMU's start until the guest accepted commands. */
  get startTime(): number {
    return this.#startTime;
  }

  /**
   * Runs a shell script in the guest and returns its result, whatever its exit status is.
   *
   * Call it again only after the last script has finished. Rejects if the script does not finish
   * within `timeout` milliseconds.
   */
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

  /** Runs a shell script and returns its output. Rejects if its exit status is not 0. */
  async run(script: string, timeout?: number): Promise<string> {
    const { status, output } = await this.attempt(script, timeout);
    if (status !== 0) throw new Error(`${this.#name}'s guest: ${script}: exit status is ${status}, not 0\n${output}`);
    return output;
  }

  /** Kills QEMU. The tap then loses its carrier. */
  async stop(): Promise<void> {
    this.#qemu.kill("SIGKILL");
    await this.#closed;
  }

  /** Waits until the console's output after the first `from` characters matches `pattern`. */
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
