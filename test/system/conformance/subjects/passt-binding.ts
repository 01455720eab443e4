// passt-binding: reports nothing, ever.
import { writeSysctls } from "../../../harness/ip.ts";
import { dist } from "../../../harness/plugin.ts";
import type { Subject } from "../subject.ts";
import { podGround } from "./pod-ground.ts";

const name = "passt-binding";
const lowestPort = "net/ipv4/ip_unprivileged_port_start";

export const passtBinding: Subject = {
  name,
  path: `${dist}/${name}`,
  attaches: true,
  ipam: "refused",
  reach: "pod",
  records: true,
  appended: [],
  ground: (scope, beside) =>
    podGround(scope, name, beside, async ({ namespace }) => {
      await writeSysctls(namespace, { [lowestPort]: "80" });
      return () => writeSysctls(namespace, { [lowestPort]: "0" });
    }),
  result: (cniVersion) => ({ cniVersion }),
};
