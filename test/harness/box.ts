// Runs programs in their own PID, mount and network namespaces, with their own /run.
//
// For programs that assume that they own the whole machine, such as podman. The kernel removes the
// box when its first process ends, even if that process was killed.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { execa } from "execa";
import { type Namespace, within } from "./namespaces.ts";
import type { Scope } from "./scope.ts";

export interface Box {
  /** The PID of the box's first process in this process's PID namespace. */
  readonly pid: number;
  /**
   * Returns the path by which other processes reach a path of the box: `/proc/1234/root/run` for
   * `/run`.
   */
  outside(path: string): string;
  /** Runs a command in the box and returns its standard output. Rejects if the command fails. */
  run(command: readonly string[], options?: BoxOptions): Promise<string>;
}

export interface BoxOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
}

/**
 * The script of the box's first process. Its arguments are directories to mount a tmpfs on.
 *
 * - It reads its PID before it mounts its own /proc: the caller needs the PID that /proc shows
 *   outside.
 * - It mounts only version 2 at /sys/fs/cgroup: crun refuses to run if both versions are mounted.
 * - It then waits and reaps processes that lose their parent.
 * - When the caller closes its standard input it exits, and the kernel kills all processes in the
 *   box.
 */
const script = `
read -r pid _ </proc/self/stat || exit
mount -t proc proc /proc || exit
for directory in "$@"; do mkdir -p "$directory" && mount -t tmpfs tmpfs "$directory" || exit; done
while umount -R /sys/fs/cgroup 2>/dev/null; do :; done
mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit
echo "$pid"
cat >/dev/null
`;

/**
 * Starts a box in the network namespace `node`. The box ends with `scope`, or with this process.
 *
 * /run and `directories` are empty in the box. All other files are this machine's.
 */
export async function startBox(scope: Scope, node: Namespace, directories: readonly string[]): Promise<Box> {
  const shell = ["sh", "-c", script, "sh", "/run", ...directories];
  // The box keeps the machine's /sys. A new sysfs would show the box's network namespace, but
  // podman does not need that.
  const [file, ...args] = within(node, "unshare", "--mount", "--pid", "--fork", "--kill-child", "--", ...shell);
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
  const exit = once(child, "exit");
  scope.teardown(async () => {
    child.stdin.end();
    await exit;
  });
  const said = await Promise.race([once(createInterface(child.stdout), "line"), exit]);
  const pid = Number(said[0]);
  if (typeof said[0] !== "string" || !Number.isInteger(pid)) throw new Error(`the box does not start: ${said}`);
  return {
    pid,
    outside: (path) => `/proc/${pid}/root${path}`,
    run: async (command, { env = {}, input } = {}) => {
      const options = { extendEnv: false, env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...env }, timeout: 60_000 };
      const entering = ["--target", `${pid}`, "--mount", "--pid", "--net", "--", ...command];
      const { stdout } = await execa("nsenter", entering, { ...options, ...(input !== undefined && { input }) });
      return stdout;
    },
  };
}
