// The one promise of ADD and DEL together: that the pod is afterwards as it was before.
import { setTimeout as sleep } from "node:timers/promises";
import type { Test } from "tap";
import { ip, links, writeSysctls } from "../../../harness/ip.ts";
import { createPod, type NetworkOptions } from "../../../harness/pod.ts";
import { settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { bindingOf } from "./binding.ts";
import { steady } from "./steady.ts";

/** A pod's network, and what is done to the pod before ADD. */
export interface Case {
  readonly network?: NetworkOptions;
  readonly commands?: readonly string[];
  /** On the node's side, where the other end of the pair is veth1. */
  readonly onNode?: readonly string[];
  readonly sysctls?: Readonly<Record<string, string>>;
  /** Differences that do not count. */
  readonly except?: RegExp;
}

/** What the pod link has unless told. */
export const v4 = "10.0.0.2/24";
export const v6 = "fd00:9::2/64";
/** A pair of links without a plugin. */
export const pair = (
  addresses: string[] = [],
  routes: string[] = [],
  more: Partial<NetworkOptions> = {},
): NetworkOptions => ({
  kind: "veth",
  addresses,
  routes,
  ...more,
});

/** What comes of it for each of 1 to 100. */
export function hundred(each: (n: number) => string[]): string[] {
  return Array.from({ length: 100 }, (_, n) => each(n + 1)).flat();
}

/** Adds, sees that the pod link was taken, deletes, and gives the differences. */
async function leftOver(
  t: Test,
  { network = pair([v4, v6]), commands = [], onNode = [], sysctls = {}, except }: Case,
): Promise<string[]> {
  const pod = await createPod(t);
  const given = Object.entries(sysctls);
  const isDefault = ([path]: [string, string]): boolean => path.includes("/default/");
  await writeSysctls(pod.namespace, Object.fromEntries(given.filter(isDefault)));
  await pod.attach(network);
  await writeSysctls(pod.namespace, Object.fromEntries(given.filter((one) => !isDefault(one))));
  // An address that is still tentative cannot be a route's source; the kernel makes the route to an
  // IPv6 peer later still.
  await steady(pod);
  await ip(pod.namespace, ...commands);
  if (onNode.length > 0) {
    await ip(pod.node, ...onNode);
    // The kernel tells the other end of a lost carrier within a second.
    await sleep(1200);
  }
  const before = await snapshot(pod.namespace);
  const binding = await bindingOf(t, pod);
  await binding.add();
  if ((await links(pod.namespace)).get("eth0-nic")?.master !== "k6t-eth0") throw new Error("eth0 was not bound");
  await binding.del();
  const journal = (await binding.journal()).map((name) => `+ journal ${name}`);
  const found = await settledDifferences(pod.namespace, before);
  return [...found.filter((line) => !except?.test(line)), ...journal];
}

/** Tests each case by its name. */
export async function restores(t: Test, cases: Readonly<Record<string, Case>>): Promise<void> {
  for (const [which, one] of Object.entries(cases))
    await t.test(which, async (t) => t.same(await leftOver(t, one), []));
}
