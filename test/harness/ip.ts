// Asks and changes a namespace with iproute2 and /proc/sys: never with our own code, which is what
// is being tested.
import { readFileSync } from "node:fs";
import { execa } from "execa";
import { type Namespace, within } from "./namespaces.ts";

/** What `ip -j -d link show` tells of a link, as far as tests ask. */
export interface ShownLink {
  readonly ifindex: number;
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly address: string;
  /** The bridge, by name. */
  readonly master?: string;
  readonly operstate: string;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: Readonly<Record<string, unknown>>;
    readonly info_slave_kind?: string;
    readonly info_slave_data?: Readonly<Record<string, unknown>>;
  };
}

/** What `ip -j address show` tells of an address. */
export interface ShownAddress {
  readonly family: "inet" | "inet6";
  readonly local: string;
  readonly prefixlen: number;
  readonly scope: string;
  readonly tentative?: boolean;
  readonly dadfailed?: boolean;
}

/** What `ip -j route show` tells of a route. */
export interface ShownRoute {
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly metric?: number;
}

/**
 * Performs `ip` commands in order, as one process: `await ip(pod, "link set lo up", "link add v0
 * type veth peer v1")`.
 * Rejects at the first that fails: `ip link set nolink up: Cannot find device "nolink"`.
 */
export async function ip(namespace: Namespace, ...commands: readonly string[]): Promise<void> {
  const input = `${commands.join("\n")}\n`;
  const { failed, stderr } = await execa("ip", ["-n", namespace.name, "-batch", "-"], { input, reject: false });
  if (!failed) return;
  const place = /^Command failed -:(\d+)$/m.exec(stderr);
  const command = place ? input.split("\n")[Number(place[1]) - 1] : commands.join("; ");
  throw new Error(`ip ${command}: ${stderr.replace(place?.[0] ?? "", "").trim()}`);
}

/** What an `ip` command shows, such as `route show table all`. */
export async function ipShow<T>(namespace: Namespace, command: string): Promise<T[]> {
  const { stdout } = await execa("ip", ["-n", namespace.name, "-details", "-json", ...command.split(" ")]);
  return stdout === "" ? [] : JSON.parse(stdout);
}

/** All links by name. */
export async function links(namespace: Namespace): Promise<Map<string, ShownLink>> {
  const shown = await ipShow<ShownLink>(namespace, "link show");
  return new Map(shown.map((link) => [link.ifname, withNumbers(link)]));
}

/**
 * The link, the owner and the group of a tap as numbers: `ip` prints their names on this machine,
 * whatever its options.
 */
function withNumbers({ linkinfo = {}, ...link }: ShownLink): ShownLink {
  const { user, group, ...data } = linkinfo.info_data ?? {};
  if (user === undefined && group === undefined) return { ...link, linkinfo };
  const numbers = { user: idOf(user, "/etc/passwd"), group: idOf(group, "/etc/group") };
  return { ...link, linkinfo: { ...linkinfo, info_data: { ...data, ...numbers } } };
}

/** The number behind a name: the third field of its line in the file (passwd(5), group(5)). */
function idOf(shown: unknown, file: string): unknown {
  if (typeof shown !== "string") return shown;
  const line = readFileSync(file, "utf8")
    .split("\n")
    .find((one) => one.startsWith(`${shown}:`));
  return Number(line?.split(":")[2]);
}

/** A link's addresses as `10.0.0.2/24`, in the kernel's order. */
export async function addresses(namespace: Namespace, link: string): Promise<string[]> {
  const [shown] = await ipShow<{ addr_info: ShownAddress[] }>(namespace, `address show dev ${link}`);
  return (shown?.addr_info ?? []).map(({ local, prefixlen }) => `${local}/${prefixlen}`);
}

/** A sysctl by the path below /proc/sys, such as `net/ipv4/conf/eth0/arp_ignore`. */
export async function readSysctl(namespace: Namespace, path: string): Promise<string> {
  const [file, ...args] = within(namespace, "cat", `/proc/sys/${path}`);
  return (await execa(file, args)).stdout;
}

/** Sets sysctls, each by its path below /proc/sys. */
export async function writeSysctls(namespace: Namespace, values: Readonly<Record<string, string>>): Promise<void> {
  const words = Object.entries(values).flat();
  const script = 'while [ $# -gt 0 ]; do printf %s "$2" >"/proc/sys/$1" || exit; shift 2; done';
  const [file, ...args] = within(namespace, "sh", "-c", script, "sh", ...words);
  await execa(file, args);
}
