// Reads and writes sysctls of the network namespace that this thread is in: /proc/sys/net follows
// the thread (kernel: net/sysctl_net.c).
import * as host from "host";
import { codeOf } from "../errno.ts";
import { FactError } from "../fact.ts";

/**
 * Returns the value without surrounding white space, and with one space between words. Undefined if
 * the kernel has no such sysctl.
 */
export function readSysctl(key: string): string | undefined {
  return host.readFileIfThere(pathOf(key))?.trim().replace(/\s+/g, " ");
}

/** Writes a sysctl. Throws a HostError. `sysctl -w` equivalent. */
export function writeSysctl(key: string, value: string): void {
  host.writeFile(pathOf(key), value);
}

/**
 * Writes a sysctl, and reads it back. If the kernel shows another value, restores the old value and
 * throws: DEL reverts only a value that it recognizes.
 */
export function setSysctl(key: string, value: string): void {
  const old = readSysctl(key);
  writeSysctl(key, value);
  const shown = readSysctl(key);
  if (shown === value || shown === undefined) return;
  if (old !== undefined) writeSysctl(key, old);
  throw new FactError(key, `the kernel shows ${quote(shown)} for ${quote(value)}; write it as the kernel shows it`);
}

function quote(value: string): string {
  return JSON.stringify(value);
}

/** Throws an Error if the sysctl does not exist or cannot be written. Changes nothing. */
export function checkSysctl(key: string): void {
  try {
    host.checkWritable(pathOf(key));
  } catch (failure) {
    const code = codeOf(failure);
    if (code === "ENOENT") throw new Error(`${key}: the kernel has no such sysctl`, { cause: failure });
    const reason = code === "EROFS" ? "/proc/sys is read-only here, which it is not in a privileged container" : code;
    throw new Error(`${key}: cannot be written: ${reason}`, { cause: failure });
  }
}

/**
 * Returns the file of a sysctl: `net.ipv6.conf.eth0.disable_ipv6` is
 * /proc/sys/net/ipv6/conf/eth0/disable_ipv6.
 *
 * A link's name may contain dots. It is between `conf` and the last word, so only the other dots
 * are separators.
 */
function pathOf(key: string): string {
  // Outside `net` a sysctl belongs to the node, whatever the thread's namespace is.
  if (!/^net\.[^/\0]+$/.test(key)) throw new Error(`${key}: is not a sysctl of a network namespace`);
  const words = key.split(".");
  const link = words.indexOf("conf") + 1;
  const path = link === 0 ? words : [...words.slice(0, link), words.slice(link, -1).join("."), ...words.slice(-1)];
  return `/proc/sys/${path.join("/")}`;
}
