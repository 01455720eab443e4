// A plugin that sees another /proc/sys than everybody else: in a mount namespace of its own, which
// ends with it.
import type { Call } from "../../../harness/plugin.ts";

/** /proc/sys as containers have it that are not privileged. */
export const readOnlySysctls = withMounts("mount --bind /proc/sys /proc/sys", "mount -o remount,bind,ro /proc/sys");

/**
 * /proc/sys of a kernel that has only these sysctls, by path, in every network namespace. They have
 * no effect.
 */
export function withSysctls(...paths: readonly string[]): Pick<Call, "under"> {
  const made = paths.map((path) => `mkdir -p $(dirname ${path}) && echo 0 >${path}`);
  return withMounts("mount -t tmpfs none /proc/sys", "cd /proc/sys", ...made, "cd /");
}

function withMounts(...commands: readonly string[]): Pick<Call, "under"> {
  const script = [...commands, 'exec "$@"'].join(" && ");
  return { under: ["unshare", "--mount", "--propagation=private", "--", "sh", "-c", script, "sh"] };
}
