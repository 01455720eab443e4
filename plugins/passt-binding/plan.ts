// Plans what passt-binding does to a pod: widens two sysctls as far as passt needs, and never
// narrows them.
import { type Change, type SetSysctl, sysctlChanges } from "../../lib/plan/change.ts";
import type { Difference } from "../../lib/plan/differences.ts";
import type { State } from "../../lib/plan/state.ts";
import type { Conf } from "./netconf.ts";

/** The lowest port that may be bound without CAP_NET_BIND_SERVICE. */
const portStart = "net.ipv4.ip_unprivileged_port_start";
/** The groups that may open ICMP and ICMPv6 echo sockets: first and last. */
const groupRange = "net.ipv4.ping_group_range";

/** The sysctls that a plan reads and changes. */
export const sysctls: readonly string[] = [portStart, groupRange];

type Wanted = Pick<Conf, "unprivilegedPortStart" | "pingGroupRange">;

/**
 * Returns the changes that ADD makes. A change that keeps the value is included: it records that
 * the attachment needs the value. The state must have all of {@link sysctls}.
 */
export function plan({ unprivilegedPortStart, pingGroupRange }: Wanted, { sysctls: found }: State): SetSysctl[] {
  const { [portStart]: start = "0", [groupRange]: groups = "1 0" } = found;
  return [
    { do: "sysctl", key: portStart, from: start, to: `${Math.min(Number(start), unprivilegedPortStart)}` },
    { do: "sysctl", key: groupRange, from: groups, to: widened(groups, pingGroupRange) },
  ];
}

/**
 * Returns the sysctls that are narrower than the conf asks for. A wider value is correct: a
 * container runtime may have widened it after ADD.
 */
export function shortfalls(wanted: Wanted, state: State): Difference[] {
  return [
    ...narrower(portStart, `${wanted.unprivilegedPortStart}`, state),
    ...narrower(groupRange, wanted.pingGroupRange.join(" "), state),
  ];
}

/** Returns the sysctls that are narrower than a record says. */
export function narrowed(due: readonly Change[], state: State): Difference[] {
  return sysctlChanges(due).flatMap(({ key, to }) => narrower(key, to, state));
}

function narrower(key: string, to: string, state: State): Difference[] {
  const found = state.sysctls[key];
  if (found === undefined) return [{ subject: key, fact: `is absent, not ${to}` }];
  const widest = key === portStart ? `${Math.min(Number(found), Number(to))}` : widened(found, rangeOf(to));
  if (widest === found) return [];
  return [{ subject: key, fact: `is ${found}, not ${to}`, repair: `sysctl -w ${key}="${widest}"` }];
}

/**
 * Returns the smallest range that contains both. A range that ends before it begins, such as the
 * kernel's default `1 0`, is empty.
 */
function widened(range: string, [first, last]: Wanted["pingGroupRange"]): string {
  const [from, to] = rangeOf(range);
  return from > to ? `${first} ${last}` : `${Math.min(from, first)} ${Math.max(to, last)}`;
}

function rangeOf(text: string): [first: number, last: number] {
  return text.split(" ").map(Number) as [number, number];
}
