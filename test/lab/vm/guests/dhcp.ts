// The DHCP server that KubeVirt has in a pod whose guest is to be given the pod's address:
// busybox's in its place.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Namespace, within } from "../../../harness/namespaces.ts";
import type { Scope } from "../../../harness/scope.ts";

export interface DhcpOptions {
  readonly namespace: Namespace;
  /** The link that it serves, which must have an address. */
  readonly link: string;
  /** Whom it answers, and nobody else. */
  readonly mac: string;
  /** What it gives: `10.1.0.2/24`. */
  readonly address: string;
  readonly gateway: string;
  readonly mtu: number;
  /** Option 121: destination and gateway in turn, `10.9.0.0/16 10.5.0.1, 0.0.0.0/0 10.5.0.1`. */
  readonly staticRoutes?: string;
}

/** Starts one; ended with `scope`. */
export function serveDhcp(scope: Scope, options: DhcpOptions): void {
  const directory = mkdtempSync(join(tmpdir(), "dhcp-"));
  const { namespace, link, mac, gateway, mtu, staticRoutes } = options;
  const [address, prefix] = options.address.split("/") as [string, string];
  const lines = [
    `interface ${link}`,
    // One address, which is another's: there is none for whoever else asks.
    `start ${address}`,
    `end ${address}`,
    `static_lease ${mac} ${address}`,
    `lease_file ${directory}/leases`,
    `pidfile ${directory}/pid`,
    `option subnet ${netmask(Number(prefix))}`,
    `option router ${gateway}`,
    `option mtu ${mtu}`,
    ...(staticRoutes ? [`option staticroutes ${staticRoutes}`] : []),
  ];
  writeFileSync(`${directory}/conf`, `${lines.join("\n")}\n`);
  writeFileSync(`${directory}/leases`, "");
  const [file, ...args] = within(namespace, "busybox", "udhcpd", "-f", `${directory}/conf`);
  const server = spawn(file, args, { stdio: "ignore" });
  const exit = once(server, "exit");
  scope.teardown(async () => {
    server.kill();
    await exit;
    rmSync(directory, { recursive: true });
  });
}

/** `255.255.255.0` for 24. */
function netmask(prefix: number): string {
  return [0, 8, 16, 24].map((before) => 256 - 2 ** (8 - Math.min(8, Math.max(0, prefix - before)))).join(".");
}
