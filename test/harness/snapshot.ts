// Takes snapshots of a network namespace's whole state as lines of text, and compares them.
//
// A snapshot holds links, addresses, routes, neighbours, rules, bridge tables and sysctls.
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { type Namespace, within } from "./namespaces.ts";

/**
 * Sorted lines, one fact each: `link eth0 mtu 1500`. A remaining time is written as the second of
 * the machine's uptime at which it ends: `@1234`.
 */
export type Snapshot = readonly string[];

type Shown = Readonly<Record<string, unknown>>;

/** Lines for `ip -details -json -batch`. Each one prints one line of JSON. */
const queries = [
  "link show",
  "address show",
  "route show table all",
  "rule show",
  "neigh show nud permanent",
  "neigh show proxy",
];

// busybox's grep is used if it is installed. It needs half the time of GNU grep, which takes most
// of a snapshot's time on an emulated machine.
const script = `
printf '${queries.join("\\n")}\\n' | ip -details -json -batch - || exit
ip -6 -details -json rule show && bridge -json fdb show && bridge -json vlan show && cat /proc/uptime || exit
$(command -v busybox) grep -rs '' /proc/sys/net/ipv4 /proc/sys/net/ipv6
`;

/**
 * Takes a snapshot when the namespace has settled. Rejects if it has not settled after 5 s.
 *
 * It has settled when all links with a carrier are up and duplicate address detection has finished
 * on them. A snapshot does not hold what changes by itself: counters, timers, addresses that
 * bridges have learnt, and a link's carrier and operational state, which follow its flags within a
 * second.
 */
export async function snapshot(namespace: Namespace): Promise<Snapshot> {
  const deadline = Date.now() + 5000;
  for (;;) {
    const { lines, unsettled } = await observe(namespace);
    if (unsettled.length === 0) return lines;
    if (Date.now() > deadline) throw new Error(`${namespace.name}: not settled after 5 s: ${unsettled.join(", ")}`);
    await sleep(50);
  }
}

/**
 * Returns the facts that only `before` holds (`- link eth0 mtu 1500`) and those that only `after`
 * holds (`+ link eth0 mtu 1400`). Times may differ by 3 s.
 */
export function differences(before: Snapshot, after: Snapshot): string[] {
  const gone = new Set(before);
  const extra = after.filter((line) => !gone.delete(line));
  const remaining = [...gone];
  const added = extra.filter((line) => {
    const alike = remaining.findIndex((other) => sameButForTime(other, line));
    if (alike >= 0) remaining.splice(alike, 1);
    return alike < 0;
  });
  const marked = [...remaining.map((line) => `- ${line}`), ...added.map((line) => `+ ${line}`)];
  return marked.sort((a, b) => compare(a.slice(2), b.slice(2)) || compare(b, a));
}

/**
 * Returns how a namespace differs from `before`. Empty if nothing differs.
 *
 * Retries until nothing differs or `milliseconds` have passed, because the kernel finishes some of
 * its IPv6 work after the call that requested it.
 */
export async function settledDifferences(
  namespace: Namespace,
  before: Snapshot,
  milliseconds = 3000,
): Promise<string[]> {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    const found = differences(before, (await observe(namespace)).lines);
    if (found.length === 0 || Date.now() > deadline) return found;
    await sleep(50);
  }
}

async function observe(namespace: Namespace): Promise<{ lines: Snapshot; unsettled: string[] }> {
  const [file, ...args] = within(namespace, "sh", "-c", script);
  // grep exits with 2 if it cannot read a file, and some files of /proc/sys cannot be read.
  const { stdout, stderr, exitCode } = await execa(file, args, { reject: false });
  const output = stdout.split("\n");
  const documents = output.splice(0, queries.length + 3);
  const uptime = output.shift();
  if (exitCode === undefined || uptime === undefined || output.length < 100)
    throw new Error(`${namespace.name}: ${stderr}`);
  const [links, addresses, routes, rules, neighbors, proxies, rules6, fdb, vlans] = documents.map(
    (text) => JSON.parse(text) as Shown[],
  );
  const over = (seconds: number): string => `@${Math.round(Number.parseFloat(uptime) + seconds)}`;
  const carried = addresses!.filter(({ flags }) => (flags as string[]).includes("LOWER_UP"));
  const unsettled = [
    // The kernel updates the operational state after the carrier, and adds the link-local address
    // then.
    ...carried.filter(({ operstate }) => /DOWN$/.test(String(operstate))).map(({ ifname }) => ifname),
    ...carried
      .flatMap(({ addr_info }) => addr_info as Shown[])
      .filter(({ tentative, dadfailed }) => tentative && !dadfailed)
      .map(({ local }) => local),
  ];
  const lines = [
    ...links!.flatMap(linkLines),
    ...addresses!.flatMap((link) => (link["addr_info"] as Shown[]).map((address) => addressLine(link, address, over))),
    ...routes!.map((route) => routeLine(route, over)),
    ...[
      ...rules!.map((rule) => ({ family: "inet", ...rule })),
      ...rules6!.map((rule) => ({ family: "inet6", ...rule })),
    ].map((rule) => line("rule", rule)),
    ...[...neighbors!, ...proxies!].map((neighbor) => line("neighbor", neighbor)),
    ...fdb!.filter(({ state }) => state === "permanent" || state === "static").map((entry) => line("fdb", entry)),
    ...vlans!.map((vlan) => line("vlan", vlan)),
    ...output.map(sysctlLine),
  ].sort(compare);
  return { lines, unsettled: unsettled.map(String) };
}

function linkLines(link: Shown): string[] {
  const { ifname, operstate, flags, ...rest } = link;
  const set = (flags as string[]).filter((flag) => flag !== "NO-CARRIER" && flag !== "LOWER_UP").sort();
  return (
    flatten({ ...withoutTimers(rest), flags: set.join(",") })
      // The bridge disables a port without a carrier within a second.
      .filter(([key]) => key !== "linkinfo.info_slave_data.state")
      .map(([key, value]) => `link ${ifname} ${key} ${value}`)
  );
}

function addressLine(link: Shown, address: Shown, over: (seconds: number) => string): string {
  const { local, prefixlen, valid_life_time, preferred_life_time, ...rest } = address;
  const times = { valid: lifetime(valid_life_time, over), preferred: lifetime(preferred_life_time, over) };
  return line(`address ${link["ifname"]} ${local}/${prefixlen}`, { ...rest, ...times });
}

function routeLine(route: Shown, over: (seconds: number) => string): string {
  const { type, dst, dev, expires, ...rest } = route;
  return line(
    `route ${type} ${dst} dev ${dev}`,
    expires === undefined ? rest : { ...rest, expires: over(Number(expires)) },
  );
}

function lifetime(seconds: unknown, over: (seconds: number) => string): string | undefined {
  if (seconds === 0xffff_ffff) return undefined;
  return seconds === 0 ? "over" : over(Number(seconds));
}

function sysctlLine(text: string): string {
  const colon = text.indexOf(":");
  return `sysctl ${text.slice("/proc/sys/".length, colon)} ${text.slice(colon + 1).replaceAll("\t", " ")}`;
}

/** Removes the timers of bridges and their topology change flags, which change by themselves. */
function withoutTimers(value: Shown): Shown {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !/(^timer|_timer|^topology_change.*)$/.test(key))
      .map(([key, inner]) => [key, isObject(inner) ? withoutTimers(inner) : inner]),
  );
}

function line(subject: string, facts: Shown): string {
  return [subject, ...flatten(facts).map(([key, value]) => `${key}=${value}`)].join(" ");
}

/**
 * Returns `{ a: { b: 1 }, c: ["x"] }` as the sorted pairs `a.b` 1 and `c.0` x. Skips undefined and
 * empty values.
 */
function flatten(value: unknown, path = ""): [key: string, value: string][] {
  if (value === undefined) return [];
  if (typeof value !== "object" || value === null) return [[path, String(value)]];
  const inner = Object.entries(value).flatMap(([key, each]) => flatten(each, path === "" ? key : `${path}.${key}`));
  return inner.sort(([a], [b]) => compare(a, b));
}

function sameButForTime(a: string, b: string): boolean {
  const time = /@(\d+)/g;
  if (a.replace(time, "@") !== b.replace(time, "@")) return false;
  const others = [...b.matchAll(time)];
  return [...a.matchAll(time)].every((match, index) => Math.abs(Number(match[1]) - Number(others[index]?.[1])) <= 3);
}

function isObject(value: unknown): value is Shown {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
