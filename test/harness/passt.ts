// Runs passt in a pod as libvirt runs it in virt-launcher: as user 107 without capabilities, in the
// pod's network namespace.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chownSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Namespace, within } from "./namespaces.ts";
import type { Scope } from "./scope.ts";

/**
 * A prefix for a command line, which runs the command with virt-launcher's user and capabilities.
 */
export const asLauncher = [
  ...["setpriv", "--reuid", "107", "--regid", "107", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"],
  ...["--no-new-privs", "--pdeathsig", "KILL"],
];

export interface PasstBuild {
  readonly name: "installed" | "newer";
  /**
   * Whether passt supports vhost-user: QEMU then shares the guest's memory with it and sends no
   * frames through the socket.
   */
  readonly vhostUser: boolean;
  /** Why this build is not available, as the reason to skip tests. */
  readonly missing?: string;
}

/**
 * Returns the installed passt, and Debian 13's if the installed one does not support vhost-user.
 *
 * The first download of Debian 13's takes 5 s. @throws if no passt is installed.
 */
export function passtBuilds(): PasstBuild[] {
  // `passt --help` exits with status 1, and older versions print to standard error.
  const { stdout, stderr, error } = spawnSync("passt", ["--help"], { encoding: "utf8" });
  if (error) throw error;
  const vhostUser = `${stdout}${stderr}`.includes("--vhost-user");
  const installed = { name: "installed", vhostUser } as const;
  if (vhostUser) return [installed];
  const getting = spawnSync(fileURLToPath(new URL("newer-passt", import.meta.url)), { encoding: "utf8" });
  const newer = { name: "newer", vhostUser: true } as const;
  return [installed, getting.status === 0 ? newer : { ...newer, missing: getting.stderr || `${getting.error}` }];
}

export interface PasstOptions {
  readonly build: PasstBuild;
  readonly namespace: Namespace;
  /**
   * Further options: the ports that passt forwards to the guest, such as `["--tcp-ports", "80"]`,
   * and the guest's MTU.
   */
  readonly args: readonly string[];
}

/** Milliseconds. Debian 12's passt usually needs half a second, Debian 13's 20 ms. */
const startTimeout = 30_000;

/**
 * Starts a passt that serves the pod's eth0. Resolves when passt waits for a guest.
 *
 * Rejects with passt's output if passt exits instead.
 */
export async function startPasst(scope: Scope, { build, namespace, args }: PasstOptions): Promise<Passt> {
  const directory = mkdtempSync(join(tmpdir(), "passt-"));
  chownSync(directory, 107, 107);
  const command = [
    ...asLauncher,
    ...executable(build, directory),
    // As in libvirt's qemu_passt.c, plus --foreground: passt is then a child that ends with this
    // process.
    ...["--foreground", "--one-off", "--socket", join(directory, "socket"), "--pid", join(directory, "pid")],
    ...["--log-file", join(directory, "log"), "--interface", "eth0", ...args],
  ];
  const [file, ...rest] = within(namespace, ...command);
  const passt = new Passt(directory, spawn(file, rest, { stdio: ["ignore", "ignore", "pipe"], cwd: "/" }));
  scope.teardown(async () => {
    await passt.stop();
    rmSync(directory, { recursive: true });
  });
  await passt.started();
  return passt;
}

export class Passt {
  /**
   * The socket for the guest's NIC. passt accepts one connection and exits when that one closes.
   */
  readonly socket: string;
  /** Resolves to the exit status when passt has exited, to undefined if a signal ended it. */
  readonly ended: Promise<number | undefined>;
  readonly #directory: string;
  readonly #child: ChildProcess;
  #complaints = "";
  #hasEnded = false;

  constructor(directory: string, child: ChildProcess) {
    this.socket = join(directory, "socket");
    this.#directory = directory;
    this.#child = child;
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#complaints += text;
    });
    this.ended = new Promise((resolve, reject) => {
      child.once("error", reject).once("close", (status) => {
        this.#hasEnded = true;
        resolve(status ?? undefined);
      });
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** passt's output so far: its log and its standard error. */
  get said(): string {
    return `${read(join(this.#directory, "log"))}${this.#complaints}`;
  }

  /** Resolves when the output matches. Rejects with the output if it does not match within 10 s. */
  async says(pattern: RegExp): Promise<void> {
    const deadline = Date.now() + 10_000;
    while (!pattern.test(this.said)) {
      if (Date.now() > deadline) throw new Error(`passt: said nothing that matches ${pattern}:\n${this.said}`);
      await sleep(10);
    }
  }

  /** Resolves when passt has bound all ports and confined itself: it then writes its PID file. */
  async started(): Promise<void> {
    const deadline = Date.now() + startTimeout;
    while (read(join(this.#directory, "pid")) === "") {
      if (this.#hasEnded) throw new Error(`passt: ended by itself, with ${await this.ended}:\n${this.said}`);
      if (Date.now() > deadline) throw new Error(`passt: not ready after ${startTimeout} ms:\n${this.said}`);
      await sleep(10);
    }
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }
}

/**
 * Returns the command line of the build's executable.
 *
 * User 107 may have no access to the checkout's directory, so the newer build runs from a copy in
 * `directory`.
 */
function executable({ name }: PasstBuild, directory: string): string[] {
  if (name === "installed") return ["passt"];
  const cache = fileURLToPath(new URL("../../.cache/passt", import.meta.url));
  for (const file of ["ld.so", "libc.so.6", "passt"]) copyFileSync(join(cache, file), join(directory, file));
  return [join(directory, "ld.so"), "--library-path", directory, join(directory, "passt")];
}

function read(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}
