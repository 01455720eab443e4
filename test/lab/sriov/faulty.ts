// Injects faults into ADD and DEL of sriov-vfio at each of their changes, and checks that the VF is
// fully restored.
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { execa } from "execa";
import type { Test } from "tap";
import { type Mutation, sampled, watch } from "../../harness/faults.ts";
import { type Answer, callSuccessfully } from "../../harness/plugin.ts";
import type { Scope } from "../../harness/scope.ts";
import { netdevOf, type Vf } from "../../harness/sriov.ts";
import { asked, filesIn, podWith, stateOf, type VfPod, vfsOf } from "./pod.ts";

/** The answer of a killed call. */
export const killed = { signal: "SIGKILL" };

/**
 * A pod with every setting that igb supports. Its VF is on its network driver, and the VF's link
 * has been renamed.
 */
export interface Ground {
  readonly vf: Vf;
  readonly pod: VfPod;
  /** Calls the plugin for `pod`, with a MAC address in CNI_ARGS. */
  run(verb: string, under?: readonly string[]): Promise<Answer>;
  /** The state before the first ADD. */
  readonly before: object;
  /** Returns the current state in the form of `before`. */
  now(): Promise<object>;
}

const args = "MAC=02:00:00:00:00:77";

/** Prepares the VF and the pod for a whole test file. */
export async function ground(scope: Scope): Promise<Ground> {
  const [vf] = await vfsOf(scope, "eth0", 1);
  await execa("ip", ["link", "set", netdevOf(vf.address)!, "name", "chosen"]);
  const pod = await podWith(scope, vf, asked);
  const run: Ground["run"] = (verb, under = []) => pod.run(verb, {}, { args, under, timeout: 60_000 });
  const now = async (): Promise<object> => ({
    ...(await stateOf(vf)),
    records: pod.records(),
    information: filesIn(dirname(pod.info)),
  });
  const before = await now();
  // The first ADD creates the directories, so that every later run makes the same system calls.
  for (const verb of ["ADD", "DEL"]) await callSuccessfully("sriov-vfio", verb, { ...pod.call, args }, pod.netconf);
  return { vf, pod, run, now, before };
}

/** Returns the system calls with which ADD and DEL change something, in order. */
export async function mutationsOf(scope: Scope, { pod }: Ground): Promise<Record<"add" | "del", readonly Mutation[]>> {
  const watched = async (verb: string): Promise<Mutation[]> => {
    const { under, mutations } = await watch(scope);
    await callSuccessfully("sriov-vfio", verb, { ...pod.call, args, under }, pod.netconf);
    return await mutations();
  };
  return { add: await watched("ADD"), del: await watched("DEL") };
}

/**
 * Returns a short word for the subject of a system call: `sendto`, or the end of the name of the
 * file that it creates, writes, renames to or removes, such as `pending` or `unbind`.
 */
export function subjectOf({ name, text }: Mutation): string {
  if (name === "sendto") return name;
  const path = name === "write" ? /<([^>]*)>/.exec(text)?.[1] : [...text.matchAll(/"([^"]*)"/g)].at(-1)?.[1];
  const file = path?.split("/").at(-1) ?? text;
  return file.replace(/^.*\.(?=draft$|pending$|json$)/, "");
}

/**
 * Calls `fail` for each point, and checks after each that the VF is as before. `fail` must release
 * the VF.
 */
export async function atEach(
  t: Test,
  { before, now }: Ground,
  points: readonly Mutation[],
  fail: (point: Mutation, what: string) => Promise<void>,
): Promise<void> {
  for (const point of sampled(t, points)) {
    const what = `${point.name} ${point.nth}: ${point.text.slice(0, 120)}`;
    await fail(point, what);
    t.same(await now(), before, what);
  }
}

/** Sets FAULTS_EVERY to `every` on an emulated machine, unless the environment sets it. */
export function sampleWhereEmulated(every: number): void {
  if (/^model name.*\bTCG\b/m.test(readFileSync("/proc/cpuinfo", "utf8"))) process.env["FAULTS_EVERY"] ??= `${every}`;
}
