// What `bridge` tells of an in-pod bridge's table: whom it forwards to by which port.
import { execa } from "execa";
import type { Pod } from "../../../harness/pod.ts";

/** One line of `bridge fdb show`. */
export interface ForwardingEntry {
  readonly mac: string;
  /** The port. */
  readonly ifname: string;
  /**
   * `permanent` for the ports' own addresses, `static` for what was told; absent for what was
   * learnt.
   */
  readonly state?: string;
}

export async function forwardingEntries(pod: Pod, bridge: string): Promise<ForwardingEntry[]> {
  const { stdout } = await execa("bridge", ["-n", pod.namespace.name, "-json", "fdb", "show", "br", bridge]);
  return JSON.parse(stdout);
}
