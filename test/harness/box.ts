// A machine within this one, for programs that take all of a machine for theirs: its own processes,
// mounts, /run and state, all gone when it ends, however it does.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { execa } from "execa";
import { type Namespace, within } from "./namespaces.ts";
import type { Scope } from "./scope.ts";

/** See {@link startBox}. */
export interface Box {
  /** The first of its processes, as it is known outside. */
  readonly pid: number;
  /** The same place seen from outside: `/run` is `/proc/1234/root/run`. */
  outside(path: string): string;
  /** Runs a command in it; rejects where it fails, with what it said. */
  run(command: readonly string[], options?: BoxOptions): Promise<string>;
}

export interface BoxOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
}

/**
 * Mounts first, each an empty file system. /sys/fs/cgroup is as a machine with nothing but version
 * 2 has it: crun refuses to run where both versions are
 * mounted. Its number is told before /proc is its own. The shell then waits, and takes in whatever
 * loses its parent; it ends with its standard input, which
 * is ours to close, and the kernel with it whatever runs there.
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
 * Starts one whose network is that of `node`; gone when `scope` ends, and when this process does.
 * `directories` are its own and empty, beside /run; all other
 * files are this machine's.
 */
export async function startBox(scope: Scope, node: Namespace, directories: readonly string[]): Promise<Box> {
  const shell = ["sh", "-c", script, "sh", "/run", ...directories];
  // Its own view of the network in /sys comes with nothing that podman needs, so it keeps the
  // machine's.
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
