// Runs a plugin with another /proc/sys, in a mount namespace that ends with the plugin.
import type { Call } from "../../../harness/plugin.ts";

/** A read-only /proc/sys, as in an unprivileged container. */
export const readOnlySysctls = withMounts("mount --bind /proc/sys /proc/sys", "mount -o remount,bind,ro /proc/sys");

/**
 * Returns a call with a /proc/sys that has only these sysctls, by path, in every network namespace.
 *
 * Writes to these sysctls have no effect.
 */
export function withSysctls(...paths: readonly string[]): Pick<Call, "under"> {
  const made = paths.map((path) => `mkdir -p $(dirname ${path}) && echo 0 >${path}`);
  return withMounts("mount -t tmpfs none /proc/sys", "cd /proc/sys", ...made, "cd /");
}

function withMounts(...commands: readonly string[]): Pick<Call, "under"> {
  const script = [...commands, 'exec "$@"'].join(" && ");
  return { under: ["unshare", "--mount", "--propagation=private", "--", "sh", "-c", script, "sh"] };
}
