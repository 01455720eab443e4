// Reads the forwarding table of a bridge in a pod with the `bridge` command.
import { execa } from "execa";
import type { Pod } from "../../../harness/pod.ts";

/** One line of `bridge fdb show`. */
export interface ForwardingEntry {
  readonly mac: string;
  /** The name of the port. */
  readonly ifname: string;
  /**
   * The origin of the entry.
   *
   * - `permanent`: an address of a port itself
   * - `static`: added by a program
   * - absent: learnt from traffic
   */
  readonly state?: string;
}

export async function forwardingEntries(pod: Pod, bridge: string): Promise<ForwardingEntry[]> {
  const { stdout } = await execa("bridge", ["-n", pod.namespace.name, "-json", "fdb", "show", "br", bridge]);
  return JSON.parse(stdout);
}
