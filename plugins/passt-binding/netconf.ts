// The schema of passt-binding's netconf.
import {
  type ConfOf,
  defaulted,
  defineSchema,
  journalDirectory,
  optional,
  type SalvagedOf,
} from "../../lib/cni/netconf.ts";
import { integer, linkName, pair } from "../../lib/cni/schemas.ts";

/** The user and group that KubeVirt runs QEMU and passt as. */
const launcher = 107;

export const schema = defineSchema(
  () => ({
    interface: optional(linkName),
    unprivilegedPortStart: defaulted(0, () => integer({ min: 0, max: 65_535 })),
    // The maximum is GID_T_MAX of the kernel's net/ipv4/sysctl_net_ipv4.c. Before Linux 6.4 it was
    // half of that, and the kernel refuses larger values.
    pingGroupRange: defaulted([launcher, launcher], () => pair(integer({ min: 0, max: 0xfffffffe }))),
    dataDir: journalDirectory("passt-binding"),
  }),
  ({ pingGroupRange: [first, last] }) =>
    first > last ? [`pingGroupRange: begins with ${first} and ends with ${last}, the lower one comes first`] : [],
);

/** A validated netconf. */
export type Conf = ConfOf<typeof schema>;

/** What DEL and GC use of an invalid netconf. */
export type SalvagedConf = SalvagedOf<typeof schema>;
