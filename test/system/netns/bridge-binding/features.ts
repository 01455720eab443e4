// What this machine's kernel has of what not every kernel has: tests of the rest are skipped, and
// say so.
import { ip } from "../../../harness/ip.ts";
import { createNamespace } from "../../../harness/namespaces.ts";
import { type Scope, withScope } from "../../../harness/scope.ts";

/** The reason to skip a test, or false: `t.test(name, { skip: missing("ipvlan") }, …)`. */
export const missing = (feature: Feature): string | false => reasons[feature];

export type Feature = "dummy" | "ipvlan" | "vlanFiltering";

const probes: Record<Feature, { commands: string[]; reason: string }> = {
  dummy: { commands: ["link add x type dummy"], reason: "this kernel has no dummy links (CONFIG_DUMMY)" },
  ipvlan: {
    commands: ["link add name parent type veth peer name other", "link add link parent name x type ipvlan"],
    reason: "this kernel has no ipvlan (CONFIG_IPVLAN)",
  },
  vlanFiltering: {
    // With the links of 802.1Q, by which the tests speak to a guest behind a VLAN.
    commands: ["link add name br type bridge vlan_filtering 1", "link add link br name x type vlan id 7"],
    reason: "this kernel's bridges do not filter VLANs (CONFIG_BRIDGE_VLAN_FILTERING, CONFIG_VLAN_8021Q)",
  },
};

const reasons = Object.fromEntries(
  await Promise.all(
    Object.entries(probes).map(async ([feature, { commands, reason }]) => [
      feature,
      (await withScope((scope) => succeeds(scope, commands))) ? false : reason,
    ]),
  ),
) as Record<Feature, string | false>;

async function succeeds(scope: Scope, commands: readonly string[]): Promise<boolean> {
  const namespace = await createNamespace(scope);
  return await ip(namespace, ...commands).then(
    () => true,
    () => false,
  );
}
