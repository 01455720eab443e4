// What attachments need of the node's network namespaces.
import type { Kernel } from "./apply.ts";
import type { Identity } from "./entry.ts";

/** The way into network namespaces. */
export interface Namespaces<K extends Kernel> {
  /** Returns the namespace at the path, without its cookie. Undefined if there is none. */
  identify(path: string): Identity | undefined;
  /** Calls back inside the namespace. Excludes other calls of these plugins. */
  enter<T>(path: string, work: (kernel: K, here: Identity) => T): T;
  /**
   * Calls back while no other call of these plugins has its turn, or after a short wait. Parallel
   * calls are correct, but they wait for each other in the kernel by spinning.
   */
  inTurn<T>(work: () => T): T;
  /** Milliseconds of CLOCK_MONOTONIC. */
  time(): number;
}
