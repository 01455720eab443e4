// any-plan: a plugin whose plan is in its netconf, for tests of what an author may plan.
import { type ConfOf, defineSchema, journalDirectory, required } from "../../../../../../lib/cni/netconf.ts";
import type { AddCall } from "../../../../../../lib/cni/plugin.ts";
import { text } from "../../../../../../lib/cni/schemas.ts";
import { serve } from "../../../../../../lib/command/serve.ts";
import type { Planned } from "../../../../../../lib/plan/attachments.ts";
import type { Change } from "../../../../../../lib/plan/change.ts";
import { changed } from "../../../../../../lib/plan/objects.ts";
import type { LinkSettings, NewLink } from "../../../../../../lib/plan/state.ts";
import { podPlugin } from "../../../../../../lib/plugin/pod-plugin.ts";

const schema = defineSchema(() => ({
  plan: required(() => text({ max: 100_000 })),
  dataDir: journalDirectory("any-plan"),
}));

/** What the plugin adds to eth0, and changes and creates besides. All fields are optional. */
export interface AnyPlan {
  readonly settings?: Partial<LinkSettings>;
  /** Fields of `from` that differ from what was observed. */
  readonly from?: Partial<LinkSettings>;
  readonly addresses?: LinkSettings["addresses"];
  readonly routes?: LinkSettings["routes"];
  readonly neighbors?: LinkSettings["neighbors"];
  readonly create?: readonly NewLink[];
  /** By their names before the plan renames eth0. */
  readonly sysctls?: Readonly<Record<string, string>>;
  /** The same, but by the old names after the plan renames eth0. */
  readonly keep?: Readonly<Record<string, string>>;
}

serve(
  podPlugin({
    name: "any-plan",
    about: "changes what its netconf says",
    schema,
    plan(kernel, { conf }: AddCall<ConfOf<typeof schema>>): Planned {
      const { settings, from, addresses, routes, neighbors, create, sysctls, keep }: AnyPlan = JSON.parse(conf.plan);
      const state = kernel.observe({ links: true, sysctls: Object.keys({ ...sysctls, ...keep }) });
      const link = state.links.find(({ name }) => name === "eth0")!;
      const change = changed(link, {
        ...settings,
        addresses: [...link.addresses, ...(addresses ?? [])],
        routes: [...link.routes, ...(routes ?? [])],
        neighbors: [...link.neighbors, ...(neighbors ?? [])],
      });
      const changes: Change[] = [{ ...change, from: { ...change.from, ...from } }];
      for (const link of create ?? []) changes.push({ do: "create", link });
      for (const [observed, to] of Object.entries(sysctls ?? {})) {
        const key = observed.replace(".eth0.", `.${settings?.name ?? "eth0"}.`);
        changes.push({ do: "sysctl", key, from: state.sysctls[observed] ?? "", to });
      }
      for (const [key, to] of Object.entries(keep ?? {}))
        changes.push({ do: "sysctl", key, from: state.sysctls[key] ?? "", to });
      return { state, changes };
    },
    report: () => ({}),
    requirements: [],
  }),
);
