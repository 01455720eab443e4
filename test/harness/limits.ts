// Control groups, to run a command in as little as Multus's daemon gives its plugins.
import { existsSync } from "node:fs";
import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Scope } from "./scope.ts";

/** What all processes in a group have together. */
export interface Limits {
  /** In CPUs: 0.1 is Kubernetes's 100m. */
  readonly cpus: number;
  /** In bytes, swap included. */
  readonly memory: number;
}

/**
 * What the manifest of Multus's thick plugin limits its daemon to, and with it the plugins that it
 * runs.
 */
export const multusThick: Limits = { cpus: 0.1, memory: 50 << 20 };

/** A control group. */
export interface LimitedGroup {
  /**
   * The command line that a command's is appended to, so that it runs in the group; what brings it
   * there is outside.
   */
  readonly under: readonly string[];
  /** The most memory that the group has taken, in bytes. */
  peak(): Promise<number>;
  /** Whether the kernel had to kill one of its processes for lack of memory. */
  ranOut(): Promise<boolean>;
}

const root = "/sys/fs/cgroup";
/** Microseconds: the quota is for so many. */
const period = 100_000;
let count = 0;

/**
 * Makes a group, of either version of control groups, whichever the machine has; gone when `scope`
 * ends.
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

/** Version 1, a hierarchy for each: Documentation/admin-guide/cgroup-v1/memory.rst. */
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
  // A process that has ended is in it until it is reaped.
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
