// IPAM plugins as shell scripts: one keeps a file for each address that it assigned, the others
// run the lines of a test.
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Netconf } from "../../harness/attachment.ts";

/** The result that {@link leaseKeeper} returns to every caller, in version 1.0.0. */
export const leased = {
  ips: [{ address: "10.9.0.2/24", gateway: "10.9.0.1" }, { address: "fd00:9::2/64" }],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0", gw: "fd00:9::1" }],
} as const;

/** A script that reads standard input first, as a plugin must. */
export interface IpamPlugin {
  /** The value of `ipam`. */
  readonly ipam: Netconf;
  /** Its directory, for CNI_PATH. */
  readonly path: string;
}

/** Creates the directory and a script in it. `lines` read the configuration from `$conf`. */
export function ipamPlugin(directory: string, type: string, ...lines: readonly string[]): IpamPlugin {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, type);
  writeFileSync(file, ["#!/bin/sh", "conf=$(cat)", ...lines, ""].join("\n"));
  chmodSync(file, 0o755);
  return { ipam: { type }, path: directory };
}

/**
 * An IPAM plugin with state: `leases`, below the directory, has a file for each attachment. GC with
 * a list removes the files of containers that are not in the list.
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
