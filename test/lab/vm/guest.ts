// A virtual machine at the far end of a tap or of a passt, or with virtual functions, run as
// KubeVirt's virt-launcher runs one: guest-hardware.ts.
import type { ChildProcessByStdio } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { Scope } from "../../harness/scope.ts";
import { spawnGuest, type VirtualMachineOptions } from "./guest-hardware.ts";

/** What a command in a guest left; the output is standard output and error in their order. */
export interface GuestOutcome {
  readonly status: number;
  readonly output: string;
}

/**
 * Brings eth0 up and takes a lease: the shell command for it. The lease's options are then in
 * /lease, as udhcpc names them.
 */
export const takeLease =
  "ip link set eth0 up; udhcpc -f -q -n -i eth0 -t 20 -T 1 -O mtu -O staticroutes -O search -s /etc/udhcpc";

/** Milliseconds: 3 s is usual, and 90 s where a machine that is itself emulated emulates it. */
const startTimeout = 300_000;

/**
 * Starts one, and resolves when its shell takes commands. Throws with the end of its console's log,
 * which has QEMU's complaints, otherwise.
 */
export async function startVirtualMachine(scope: Scope, options: VirtualMachineOptions): Promise<VirtualMachine> {
  const machine = new VirtualMachine(nameOf(options), spawnGuest(options));
  scope.teardown(() => machine.stop());
  await machine.started;
  return machine;
}

/** What an error calls it by. */
function nameOf(options: VirtualMachineOptions): string {
  if ("functions" in options) return options.functions.join(", ");
  return "tap" in options ? options.tap : "passt";
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

  /**
   * Runs a shell script in it, whatever its exit status is, one at a time. Throws where it does not
   * end within `timeout` milliseconds.
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
