// Describes each field of the netconf in one sentence, for the README and for editors. Not part of
// the executable.
import type { Descriptions } from "../../lib/cni/netconf-schema.ts";

export const descriptions: Descriptions = {
  interface: "the pod's link that passt serves: ADD and CHECK fail where it is not there; not looked for unless told",
  unprivilegedPortStart:
    "the lowest port that passt may bind (`net.ipv4.ip_unprivileged_port_start`); where it is lower already, it stays",
  pingGroupRange:
    "first and last group that may send pings (`net.ipv4.ping_group_range`); where others may already, they still may",
  dataDir: "where the records are; every directory on the way must belong to root alone",
};
