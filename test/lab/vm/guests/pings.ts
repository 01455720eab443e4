// Pings from and to guests, and counts fragments.
import { execa } from "execa";
import type { Test } from "tap";
import { type Namespace, within } from "../../../harness/namespaces.ts";
import type { VirtualMachine } from "../guest.ts";

/** Returns whether a ping from a namespace gets a reply within 5 s. */
export async function pings(from: Namespace, target: string): Promise<boolean> {
  const [file, ...args] = within(from, "ping", "-c1", "-W5", target);
  return (await execa(file, args, { reject: false })).exitCode === 0;
}

/**
 * Returns a guest's command that succeeds if a ping gets a reply within `seconds`. `size` is the
 * length of the data.
 */
export function ping(target: string, { seconds = 10, size = 56 } = {}): string {
  return `ping -c 1 -W ${seconds} -s ${size} ${target}`;
}

/**
 * Checks that the guest's pings get replies. Those that fit into the MTU must not be fragmented,
 * and one byte more must take two fragments.
 */
export async function reaches(
  t: Test,
  guest: VirtualMachine,
  { targets, of, mtu }: { targets: readonly string[]; of: Namespace | VirtualMachine; mtu: number },
): Promise<void> {
  for (const target of targets) {
    // The headers of IP and ICMP have 28 bytes with IPv4, 48 with IPv6.
    const largest = mtu - (target.includes(":") ? 48 : 28);
    for (const [size, fragments] of [
      [largest, 0],
      [largest + 1, 2],
    ] as const) {
      const start = await fragmentsReceived(of);
      t.match(await guest.run(ping(target, { size })), `${size + 8} bytes from ${target}`);
      t.equal(
        (await fragmentsReceived(of)) - start,
        fragments,
        `${size} bytes to ${target} take ${fragments} fragments`,
      );
    }
  }
}

/**
 * Returns how many fragments of IPv4 and IPv6 packets a namespace or a guest has received for
 * itself.
 */
export async function fragmentsReceived(by: Namespace | VirtualMachine): Promise<number> {
  const counters = "cat /proc/net/snmp /proc/net/snmp6";
  if ("run" in by) return count(await by.run(counters));
  const [file, ...args] = within(by, ...counters.split(" "));
  return count((await execa(file, args)).stdout);
}

/**
 * IPv4's counters have a line of names and a line of values. IPv6's have a name and a value per
 * line.
 */
function count(shown: string): number {
  const [names, values] = shown.split("\n").filter((line) => line.startsWith("Ip: "));
  const ipv4 = values?.split(" ")[names!.split(" ").indexOf("ReasmReqds")];
  const ipv6 = /^Ip6ReasmReqds\s+(\d+)$/m.exec(shown)?.[1];
  return Number(ipv4) + Number(ipv6);
}
