// Somebody who adds and removes links and addresses in a namespace, as fast as is asked for: dumps
// there are interrupted.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { ip } from "../../harness/ip.ts";
import type { Namespace } from "../../harness/namespaces.ts";
import type { Scope } from "../../harness/scope.ts";

/** See {@link makeNoise}. */
export interface Noise {
  /** Ends it, and takes away what it has made. Gives how many changes there were. */
  end(): Promise<number>;
}

const addresses = ["192.0.2.1/32", "2001:db8::1/128"] as const;
/** Nothing that a plan could take for the pod's own. */
const link = "noise";

/**
 * Assigns so many addresses that a list of them takes several datagrams of 32 KiB: of what fits in
 * one, the kernel gives all at once.
 */
export function crowd(namespace: Namespace): Promise<void> {
  const commands = Array.from({ length: 1000 }, (_, n) => `address add 198.18.${n >> 8}.${n & 255}/32 dev lo`);
  return ip(namespace, ...commands);
}

/**
 * Starts changing something, once every so many milliseconds: an address of either family, and a
 * link now and then. `scope` ends it, too.
 */
export async function makeNoise(scope: Scope, namespace: Namespace, period: number): Promise<Noise> {
  const changer = spawn("ip", ["-n", namespace.name, "-force", "-batch", "-"], { stdio: ["pipe", "pipe", "ignore"] });
  const gone = once(changer, "exit");
  // As soon as it has answered it is there.
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
  }, period);
  const end = async (): Promise<number> => {
    clearInterval(timer);
    if (changer.exitCode === null && !changer.stdin.writableEnded) {
      changer.stdin.end();
      await gone;
      const commands = [...addresses.map((address) => `address del ${address} dev lo`), `link del ${link}`];
      for (const command of commands) await ip(namespace, command).catch(() => undefined);
    }
    return count;
  };
  scope.teardown(end);
  return { end };
}
