// Describes each field of the netconf in one sentence, for the README and for editors. Not part of
// the executable.
import type { Descriptions } from "../../lib/cni/netconf-schema.ts";

export const descriptions: Descriptions = {
  interface: "the pod's link that passt serves; if it is set and the link does not exist, ADD and CHECK fail",
  unprivilegedPortStart:
    "the lowest port that passt may bind (`net.ipv4.ip_unprivileged_port_start`); a lower value is kept",
  pingGroupRange:
    "first and last group that may send pings (`net.ipv4.ping_group_range`); groups that may send pings already are kept",
  dataDir: "the directory of the records; only root may be able to write to it and to each directory above it",
};
