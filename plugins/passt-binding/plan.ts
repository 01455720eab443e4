// What passt-binding does to a pod: two sysctls become as wide as passt needs them, and never narrower than they were.
import type { Change } from "../../lib/plan/change.ts";
import type { State } from "../../lib/plan/state.ts";
import type { Netconf } from "./netconf.ts";

/** The lowest port that may be bound without CAP_NET_BIND_SERVICE. */
const portStart = "net.ipv4.ip_unprivileged_port_start";
/** The groups that may open ICMP and ICMPv6 echo sockets: first and last. */
const groupRange = "net.ipv4.ping_group_range";

/** The sysctls that a plan looks at and changes. */
export const sysctls: readonly string[] = [portStart, groupRange];

type Wishes = Pick<Netconf, "unprivilegedPortStart" | "pingGroupRange">;

/** The changes that ADD makes. One that changes nothing is among them, too: it says that the attachment needs the value. All of {@link sysctls} must be in the state. */
export function plan({ unprivilegedPortStart, pingGroupRange }: Wishes, { sysctls: found }: State): Change[] {
  const [start, groups] = [found[portStart]!, found[groupRange]!];
  return [
    { do: "sysctl", key: portStart, from: start, to: `${Math.min(Number(start), unprivilegedPortStart)}` },
    { do: "sysctl", key: groupRange, from: groups, to: widened(groups, pingGroupRange) },
  ];
}

/** The smallest range with both in it. One whose end is before its beginning, such as the kernel's own `1 0`, is empty. */
function widened(range: string, [first, last]: Wishes["pingGroupRange"]): string {
  const [from, to] = range.split(" ").map(Number) as [number, number];
  return from > to ? `${first} ${last}` : `${Math.min(from, first)} ${Math.max(to, last)}`;
}
