// bridge-binding: reports nothing as a binding, its three links in a chain.
import { ip } from "../../../harness/ip.ts";
import { dist } from "../../../harness/plugin.ts";
import type { Subject } from "../subject.ts";
import { podGround } from "./pod-ground.ts";

const name = "bridge-binding";

export const bridgeBinding: Subject = {
  name,
  path: `${dist}/${name}`,
  attaches: true,
  ipam: "refused",
  reach: "pod",
  records: true,
  appended: ["k6t-eth0", "eth0-nic", "tap0"],
  ground: (scope, beside) =>
    podGround(scope, name, beside, async ({ namespace }) => {
      await ip(namespace, "link set tap0 nomaster");
      return () => ip(namespace, "link set tap0 master k6t-eth0");
    }),
  // Without CONFIG_DUMMY.
  remark: /^time=\S+ level=warn plugin=bridge-binding verb=ADD .* warning="eth0: no dummy links .*\n$/,
  result: (cniVersion) => ({ cniVersion }),
  guestMac: ({ interfaces }) => interfaces?.find((one) => one.name === "eth0")?.mac,
};
