// Confines a call that starts no other program, before it reads what a pod controls.
import * as host from "host";
import { roots } from "../cni/roots.ts";

/** The files that exist, and that a call in a pod writes to. */
const files = ["/proc/sys/net", "/dev/net/tun"];

let due: (() => readonly string[]) | undefined;

/**
 * Lets {@link confineNow} confine this call. It then writes only below these directories, the
 * shared directory of the plugins and the log's directory, and starts no program.
 *
 * It also loses the right to open namespaces through processes, `/proc/PID/ns`. Therefore it is
 * confined only after it has entered the pod.
 */
export function confineInPod(directories: () => readonly string[]): void {
  due = directories;
}

/** Confines the call, once. Does nothing without {@link confineInPod}. */
export function confineNow(): void {
  if (due === undefined) return;
  const directories = due();
  due = undefined;
  confine(directories);
}

/**
 * Confines this process until it ends. Returns the measures that are in force; an older kernel has
 * fewer of them.
 */
export function confine(directories: readonly string[]): string[] {
  const { state, log } = roots();
  return host.confine([...directories, `${state}/kubevirt-cni-bindings`, log], files);
}
