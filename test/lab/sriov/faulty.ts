// A VF and a pod on which faults are tried: whatever befalls ADD or DEL at any of their steps, all
// of the VF has to come back.
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { execa } from "execa";
import type { Test } from "tap";
import { type Mutation, sampled, watch } from "../../harness/faults.ts";
import { type Answer, callSuccessfully } from "../../harness/plugin.ts";
import type { Scope } from "../../harness/scope.ts";
import { netdevOf, type Vf } from "../../harness/sriov.ts";
import { asked, filesIn, podWith, stateOf, type VfPod, vfsOf } from "./pod.ts";

/** What a killed call answers. */
export const killed = { signal: "SIGKILL" };

/**
 * A pod that asks for everything that there is, of a VF on its network driver whose link has a name
 * of its own.
 */
export interface Ground {
  readonly vf: Vf;
  readonly pod: VfPod;
  /** Calls the plugin for `pod`, which asks for a MAC address too. */
  run(verb: string, under?: readonly string[]): Promise<Answer>;
  /** What is there while no pod has the VF. */
  readonly before: object;
  /** The same now, for comparison. */
  now(): Promise<object>;
}

const args = "MAC=02:00:00:00:00:77";

/** Prepares one for a whole test file. */
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
  // The directories are there from here on, so that every run makes the same calls.
  for (const verb of ["ADD", "DEL"]) await callSuccessfully("sriov-vfio", verb, { ...pod.call, args }, pod.netconf);
  return { vf, pod, run, now, before };
}

/** The calls by which ADD and DEL change something, in order. */
export async function mutationsOf(scope: Scope, { pod }: Ground): Promise<Record<"add" | "del", readonly Mutation[]>> {
  const watched = async (verb: string): Promise<Mutation[]> => {
    const { under, mutations } = await watch(scope);
    await callSuccessfully("sriov-vfio", verb, { ...pod.call, args, under }, pod.netconf);
    return await mutations();
  };
  return { add: await watched("ADD"), del: await watched("DEL") };
}

/**
 * What a call is about, in a word: `sendto`, or the end of the file's name that it makes, writes,
 * renames to or removes, such as `pending` or `unbind`.
 */
export function subjectOf({ name, text }: Mutation): string {
  if (name === "sendto") return name;
  const path = name === "write" ? /<([^>]*)>/.exec(text)?.[1] : [...text.matchAll(/"([^"]*)"/g)].at(-1)?.[1];
  const file = path?.split("/").at(-1) ?? text;
  return file.replace(/^.*[:.]\w+\.(?=draft$|pending$|json$)/, "");
}

/**
 * Goes through the points, each time with a VF that nobody has, and sees that it is again as it
 * was.
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

/**
 * Where the machine is emulated a part of the points has to do, unless FAULTS_EVERY says how many.
 */
export function sampleWhereEmulated(every: number): void {
  if (/^model name.*\bTCG\b/m.test(readFileSync("/proc/cpuinfo", "utf8"))) process.env["FAULTS_EVERY"] ??= `${every}`;
}
