// Adds and removes links and addresses in a namespace at a given rate, so that the kernel marks
// dumps there as interrupted.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { ip } from "../../harness/ip.ts";
import type { Namespace } from "../../harness/namespaces.ts";
import type { Scope } from "../../harness/scope.ts";

/** See {@link makeNoise}. */
export interface Noise {
  /** Stops, removes what it created, and returns the number of changes. */
  end(): Promise<number>;
}

const addresses = ["192.0.2.1/32", "2001:db8::1/128"] as const;
/** A name that no plan uses. */
const link = "noise";

/**
 * Assigns so many addresses that a dump of them takes several datagrams of 32 KiB. The kernel fills
 * one datagram without a pause, so a dump of one datagram is never interrupted.
 */
export function crowd(namespace: Namespace): Promise<void> {
  const commands = Array.from({ length: 1000 }, (_, n) => `address add 198.18.${n >> 8}.${n & 255}/32 dev lo`);
  return ip(namespace, ...commands);
}

/**
 * Changes an address of each family every `periodMs`, and a link every 20 periods. Also stops when
 * `scope` ends.
 */
export async function makeNoise(scope: Scope, namespace: Namespace, periodMs: number): Promise<Noise> {
  const changer = spawn("ip", ["-n", namespace.name, "-force", "-batch", "-"], { stdio: ["pipe", "pipe", "ignore"] });
  const exited = once(changer, "exit");
  // Wait for its first answer: `ip` is ready then.
  changer.stdin.write("link show dev lo\n");
  await once(changer.stdout, "data");
  let count = 0;
  const timer = setInterval(() => {
    for (const at of [0, 1]) {
      const verb = Math.floor(count / 2) % 2 === 0 ? "add" : "del";
      changer.stdin.write(`address ${verb} ${addresses[at]} dev lo\n`);
      count += 1;
    }
    if (count % 40 === 0) changer.stdin.write(`link ${count % 80 === 0 ? "add" : "del"} ${link} type bridge\n`);
  }, periodMs);
  const end = async (): Promise<number> => {
    clearInterval(timer);
    if (changer.exitCode === null && !changer.stdin.writableEnded) {
      changer.stdin.end();
      await exited;
      const commands = [...addresses.map((address) => `address del ${address} dev lo`), `link del ${link}`];
      for (const command of commands) await ip(namespace, command).catch(() => undefined);
    }
    return count;
  };
  scope.teardown(end);
  return { end };
}
