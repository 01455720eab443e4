// IPAM plugins that are shell scripts: one that keeps a file for each address that it gave away,
// and such as do what a test tells.
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Netconf } from "../../harness/attachment.ts";

/** What {@link leaseKeeper} gives to everybody, in the shape of 1.0.0. */
export const leased = {
  ips: [{ address: "10.9.0.2/24", gateway: "10.9.0.1" }, { address: "fd00:9::2/64" }],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0", gw: "fd00:9::1" }],
} as const;

/** A script. It reads standard input first, as a plugin does that is well-behaved. */
export interface IpamPlugin {
  /** The value of `ipam`. */
  readonly ipam: Netconf;
  /** Where it is, for CNI_PATH. */
  readonly path: string;
}

/** Writes one into a directory, which is made. `lines` find the configuration in `$conf`. */
export function ipamPlugin(directory: string, type: string, ...lines: readonly string[]): IpamPlugin {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, type);
  writeFileSync(file, ["#!/bin/sh", "conf=$(cat)", ...lines, ""].join("\n"));
  chmodSync(file, 0o755);
  return { ipam: { type }, path: directory };
}

/**
 * One that ADD and DEL really matter to: `leases`, below the directory, has a file for each
 * attachment; GC, where it is given a list, removes those of containers that are not in it.
 */
export function leaseKeeper(directory: string): IpamPlugin {
  mkdirSync(join(directory, "leases"), { recursive: true });
  return ipamPlugin(
    directory,
    "lease-keeper",
    `cd ${directory}/leases`,
    'lease="$CNI_CONTAINERID:$CNI_IFNAME"',
    `fail() { printf '{"cniVersion":"1.0.0","code":%s,"msg":"%s"}' "$1" "$2"; exit 1; }`,
    "case $CNI_COMMAND in",
    `ADD) : >"$lease"; echo '${JSON.stringify({ cniVersion: "1.0.0", ...leased })}' ;;`,
    'DEL) rm -f "$lease" ;;',
    'CHECK) [ -e "$lease" ] || fail 120 "no lease" ;;',
    `GC) case $conf in *valid-attachments\\":[*) for one in *; do case $conf in *"\\"\${one%%:*}\\""*) ;; *) rm -f "$one" ;; esac; done ;; esac ;;`,
    "esac",
  );
}
