// A real passt in a pod, run as libvirt runs it in virt-launcher: user 107 without capabilities, in
// the pod's network namespace.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chownSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Namespace, within } from "./namespaces.ts";
import type { Scope } from "./scope.ts";

/** Runs a command as virt-launcher runs its own: the command line that one is appended to. */
export const asLauncher = [
  ...["setpriv", "--reuid", "107", "--regid", "107", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"],
  ...["--no-new-privs", "--pdeathsig", "KILL"],
];

/** A version of passt. */
export interface PasstBuild {
  readonly name: "installed" | "newer";
  /**
   * Whether QEMU can share the guest's memory with it, in place of sending frames through the
   * socket.
   */
  readonly vhostUser: boolean;
  /** Why it cannot be had here, for tests to be skipped with. */
  readonly missing?: string;
}

/**
 * The installed one, and Debian 13's where the installed one is too old for vhost-user. Getting
 * that takes 5 s at first. Throws where none is installed.
 */
export function passtBuilds(): PasstBuild[] {
  // Its exit status is 1, and older ones write to standard error.
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
   * Which ports it forwards to the guest, such as `["--tcp-ports", "80"]`, the guest's MTU, and
   * whatever else it takes.
   */
  readonly args: readonly string[];
}

/** Milliseconds. Half a second is usual for Debian 12's, 20 ms for Debian 13's. */
const startTimeout = 30_000;

/**
 * Starts one that serves the pod's eth0, and resolves when it waits for a guest. Rejects with what
 * it said where it ends instead.
 */
export async function startPasst(scope: Scope, { build, namespace, args }: PasstOptions): Promise<Passt> {
  const directory = mkdtempSync(join(tmpdir(), "passt-"));
  chownSync(directory, 107, 107);
  const command = [
    ...asLauncher,
    ...executable(build, directory),
    // As libvirt has it (qemu_passt.c), but for --foreground: a child that cannot outlive us.
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

/** See {@link startPasst}. */
export class Passt {
  /** Where its guest's NIC connects: the first one, with which it ends. */
  readonly socket: string;
  /** Settles when it has ended, to its exit status; undefined where a signal ended it. */
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

  /** What it has said so far, by its log, and on standard error. */
  get said(): string {
    return `${read(join(this.#directory, "log"))}${this.#complaints}`;
  }

  /**
   * Settles when it has said something that matches; rejects with what it said where it does not
   * within 10 s.
   */
  async says(pattern: RegExp): Promise<void> {
    const deadline = Date.now() + 10_000;
    while (!pattern.test(this.said)) {
      if (Date.now() > deadline) throw new Error(`passt: said nothing that matches ${pattern}:\n${this.said}`);
      await sleep(10);
    }
  }

  /** Settles when it has bound all it shall bind, and confined itself: then it writes its PID. */
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
 * User 107 may have no way into the checkout's directory: what is there is run from a copy in one
 * of its own.
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
