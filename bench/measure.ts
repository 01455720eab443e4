// Measures one run of a CNI plugin as a whole process: time from fork to exit, CPU time, peak
// memory.
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { type Namespace, within } from "../test/harness/namespaces.ts";

/** The resources that one run used, including the plugins that it ran. */
export interface Measurement {
  readonly milliseconds: number;
  /** User and system time. */
  readonly cpuMilliseconds: number;
  /** Peak resident memory of the run's largest process, in units of 1024 bytes. */
  readonly peakKilobytes: number;
}

/** A run that succeeded. */
export interface Outcome {
  readonly measurement: Measurement;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Run {
  readonly executable: string;
  /** CNI_COMMAND and the other variables. */
  readonly env: Readonly<Record<string, string>>;
  /** Standard input. */
  readonly netconf: object;
  /** The namespace that stands for the node, in which the plugin runs. */
  readonly node: Namespace;
}

const source = fileURLToPath(new URL("measure.c", import.meta.url));
const cache = fileURLToPath(new URL("../.cache", import.meta.url));
const runner = `${cache}/measure`;

/** Compiles the measuring program. Call it once, before any measurement. */
export async function prepareMeasuring(): Promise<void> {
  await mkdir(cache, { recursive: true });
  await execa("cc", ["-O2", "-Wall", "-Werror", "-static", "-o", runner, source]);
}

/**
 * Runs a plugin and returns its measurement and its output.
 *
 * @throws if the plugin fails
 */
export async function measure({ executable, env, netconf, node }: Run): Promise<Outcome> {
  const [file, ...args] = within(node, runner, executable);
  const { stdout, stderr, stdio } = await execa(file, args, {
    env,
    extendEnv: false,
    input: JSON.stringify(netconf),
    stdio: ["pipe", "pipe", "pipe", "pipe"],
  });
  const [nanoseconds, user, system, peakKilobytes, status] = String(stdio[3]).split(" ").map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ];
  if (status !== 0) throw new Error(`${executable} ${env["CNI_COMMAND"]}: left with ${status}: ${stdout}${stderr}`);
  return {
    measurement: { milliseconds: nanoseconds / 1e6, cpuMilliseconds: (user + system) / 1e3, peakKilobytes },
    stdout,
    stderr,
  };
}
