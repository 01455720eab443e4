// planned: adds to a pod what its netconf says.
import type { AddCall } from "../../../lib/cni/plugin.ts";
import type { Planned } from "../../../lib/plan/attachments.ts";
import type { Change } from "../../../lib/plan/change.ts";
import { markOf } from "../../../lib/plan/mark.ts";
import { changed, sysctl } from "../../../lib/plan/objects.ts";
import type { LinkSettings } from "../../../lib/plan/state.ts";
import type { OperablePlugin } from "../../../lib/plugin/operator.ts";
import { podPlugin } from "../../../lib/plugin/pod-plugin.ts";
import { type Conf, type SalvagedConf, schema } from "./netconf.ts";

type Objects = Pick<LinkSettings, "addresses" | "routes" | "neighbors">;

/** As test/harness/additions.ts draws it. */
interface Additions {
  readonly settings: Partial<LinkSettings>;
  readonly objects: Objects;
  readonly bridge?: Objects;
  readonly sysctls: Readonly<Record<string, string>>;
}

export const planned: OperablePlugin<Conf, SalvagedConf> = podPlugin({
  name: "planned",
  about: "adds to a pod what its netconf says",
  schema,

  plan(kernel, { conf }: AddCall<Conf>): Planned {
    const { settings, objects, bridge, sysctls }: Additions = JSON.parse(conf.plan);
    const state = kernel.observe({ links: true, sysctls: Object.keys(sysctls) });
    const link = state.links.find(({ name }) => name === "eth0");
    if (link === undefined) throw new Error("eth0: is missing");
    const changes: Change[] = [
      changed(link, {
        ...settings,
        addresses: [...link.addresses, ...objects.addresses],
        routes: [...link.routes, ...objects.routes],
        neighbors: [...link.neighbors, ...objects.neighbors],
      }),
      ...Object.entries(sysctls).map(([key, to]) => sysctl(key, to, state)),
    ];
    const made = { name: "new0", kind: "bridge", mark: markOf(link.index), mtu: 1500, up: true } as const;
    if (bridge !== undefined) changes.push({ do: "create", link: { ...made, ...bridge } });
    return { state, changes };
  },

  report: (_, { prevResult }) => prevResult ?? {},

  requirements: [],
});
