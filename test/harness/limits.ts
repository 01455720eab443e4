// Runs a command in a control group with the limits that Multus's daemon has.
import { existsSync } from "node:fs";
import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Scope } from "./scope.ts";

/** The limits for all processes of a group together. */
export interface Limits {
  /** CPUs: 0.1 is Kubernetes's 100m. */
  readonly cpus: number;
  /** Bytes, including swap. */
  readonly memory: number;
}

/**
 * The limits of the daemon in the manifest of Multus's thick plugin. They apply to the plugins that
 * the daemon runs.
 */
export const multusThick: Limits = { cpus: 0.1, memory: 50 << 20 };

export interface LimitedGroup {
  /**
   * A prefix for a command line, which makes the command run in the group. The process that
   * executes the prefix itself starts outside the group.
   */
  readonly under: readonly string[];
  /** The group's peak memory, in bytes. */
  peak(): Promise<number>;
  /** Whether the kernel killed a process of the group because memory was exhausted. */
  ranOut(): Promise<boolean>;
}

const root = "/sys/fs/cgroup";
/** The period of the CPU quota, in microseconds. */
const period = 100_000;
let count = 0;

/**
 * Creates a group. It is removed when `scope` ends.
 *
 * Uses the version of control groups that the machine has mounted.
 */
export async function limitedGroup(scope: Scope, limits: Limits): Promise<LimitedGroup> {
  const name = `kcb-${process.pid}-${count++}`;
  return existsSync(`${root}/cgroup.controllers`)
    ? await unified(scope, name, limits)
    : await split(scope, name, limits);
}

/** Version 2: Documentation/admin-guide/cgroup-v2.rst. */
async function unified(scope: Scope, name: string, { cpus, memory }: Limits): Promise<LimitedGroup> {
  await writeFile(`${root}/cgroup.subtree_control`, "+cpu +memory");
  const directory = `${root}/${name}`;
  await make(scope, directory);
  await writeFile(`${directory}/cpu.max`, `${cpus * period} ${period}`);
  await writeFile(`${directory}/memory.max`, `${memory}`);
  if (existsSync(`${directory}/memory.swap.max`)) await writeFile(`${directory}/memory.swap.max`, "0");
  return {
    under: joining(directory),
    peak: async () => Number(await readFile(`${directory}/memory.peak`, "utf8")),
    ranOut: async () => !/^oom_kill 0$/m.test(await readFile(`${directory}/memory.events`, "utf8")),
  };
}

/** Version 1, one hierarchy for each controller: Documentation/admin-guide/cgroup-v1/memory.rst. */
async function split(scope: Scope, name: string, { cpus, memory }: Limits): Promise<LimitedGroup> {
  const [processor, storage] = [`${root}/cpu/${name}`, `${root}/memory/${name}`] as const;
  for (const directory of [processor, storage]) await make(scope, directory);
  await writeFile(`${processor}/cpu.cfs_period_us`, `${period}`);
  await writeFile(`${processor}/cpu.cfs_quota_us`, `${cpus * period}`);
  await writeFile(`${storage}/memory.limit_in_bytes`, `${memory}`);
  return {
    under: joining(processor, storage),
    peak: async () => Number(await readFile(`${storage}/memory.max_usage_in_bytes`, "utf8")),
    ranOut: async () => !/^oom_kill 0$/m.test(await readFile(`${storage}/memory.oom_control`, "utf8")),
  };
}

async function make(scope: Scope, directory: string): Promise<void> {
  await mkdir(directory);
  // A process that has exited stays in the group until its parent reaps it, and rmdir fails with
  // EBUSY.
  scope.teardown(async () => {
    for (let attempt = 1; ; attempt += 1)
      try {
        return await rmdir(directory);
      } catch (failure) {
        if ((failure as NodeJS.ErrnoException).code !== "EBUSY" || attempt === 50) throw failure;
        await sleep(20);
      }
  });
}

function joining(...directories: readonly string[]): string[] {
  const join = directories.map((directory) => `echo $$ >${directory}/cgroup.procs`).join(" && ");
  return ["/bin/sh", "-c", `${join} && exec "$@"`, "sh"];
}
