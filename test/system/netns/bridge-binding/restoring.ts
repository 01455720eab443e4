// Checks that DEL restores the pod to its state before ADD.
import { setTimeout as sleep } from "node:timers/promises";
import type { Test } from "tap";
import { ip, links, writeSysctls } from "../../../harness/ip.ts";
import { createPod, type NetworkOptions } from "../../../harness/pod.ts";
import { settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { bindingOf } from "./binding.ts";
import { steady } from "./steady.ts";

/** A pod's network, and the changes to make in the pod before ADD. */
export interface Case {
  readonly network?: NetworkOptions;
  readonly commands?: readonly string[];
  /** `ip` commands for the node, where the pod link's peer is veth1. */
  readonly onNode?: readonly string[];
  readonly sysctls?: Readonly<Record<string, string>>;
  /** Matches differences to ignore. */
  readonly except?: RegExp;
}

/** The pod link's default addresses. */
export const v4 = "10.0.0.2/24";
export const v6 = "fd00:9::2/64";
/** Returns the options for a veth pair that no plugin creates. */
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

/** Concatenates the results of `each` for 1 to 100. */
export function hundred(each: (n: number) => string[]): string[] {
  return Array.from({ length: 100 }, (_, n) => each(n + 1)).flat();
}

/**
 * Calls ADD and DEL, and returns the differences to the state before ADD.
 *
 * @throws Error if ADD does not attach the pod link
 */
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
  // A tentative address cannot be the source of a route. The kernel adds the route to an IPv6 peer
  // later still.
  await steady(pod);
  await ip(pod.namespace, ...commands);
  if (onNode.length > 0) {
    await ip(pod.node, ...onNode);
    // The kernel updates the carrier of the other end within a second.
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

/** Declares a test for each case, named by its key. */
export async function restores(t: Test, cases: Readonly<Record<string, Case>>): Promise<void> {
  for (const [which, one] of Object.entries(cases))
    await t.test(which, async (t) => t.same(await leftOver(t, one), []));
}
