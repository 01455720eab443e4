// Probes optional features of this machine's kernel, so that a test can be skipped with a reason.
import { ip } from "../../../harness/ip.ts";
import { createNamespace } from "../../../harness/namespaces.ts";
import { type Scope, withScope } from "../../../harness/scope.ts";

/**
 * Returns the reason to skip a test that needs the feature, or false if the kernel has it.
 *
 * Use: `t.test(name, { skip: missing("ipvlan") }, …)`.
 */
export const missing = (feature: Feature): string | false => reasons[feature];

export type Feature = "dummy" | "ipvlan" | "vlanFiltering";

const probes: Record<Feature, { commands: string[]; reason: string }> = {
  dummy: { commands: ["link add x type dummy"], reason: "this kernel has no dummy links (CONFIG_DUMMY)" },
  ipvlan: {
    commands: ["link add name parent type veth peer name other", "link add link parent name x type ipvlan"],
    reason: "this kernel has no ipvlan (CONFIG_IPVLAN)",
  },
  vlanFiltering: {
    // The tests reach a guest in a VLAN through links of 802.1Q, so the kernel must have those too.
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
