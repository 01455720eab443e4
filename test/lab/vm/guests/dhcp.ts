// Runs busybox's DHCP server in place of KubeVirt's, which passes the pod's address to the guest.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Namespace, within } from "../../../harness/namespaces.ts";
import type { Scope } from "../../../harness/scope.ts";

export interface DhcpOptions {
  readonly namespace: Namespace;
  /** The link on which the server listens. It must have an address. */
  readonly link: string;
  /** The only client that gets a lease. */
  readonly mac: string;
  /** The address of the lease, such as `10.1.0.2/24`. */
  readonly address: string;
  readonly gateway: string;
  readonly mtu: number;
  /**
   * Option 121, destinations and gateways alternating: `10.9.0.0/16 10.5.0.1, 0.0.0.0/0 10.5.0.1`.
   */
  readonly staticRoutes?: string;
}

/** Starts a server, which ends with `scope`. */
export function serveDhcp(scope: Scope, options: DhcpOptions): void {
  const directory = mkdtempSync(join(tmpdir(), "dhcp-"));
  const { namespace, link, mac, gateway, mtu, staticRoutes } = options;
  const [address, prefix] = options.address.split("/") as [string, string];
  const lines = [
    `interface ${link}`,
    // The range holds only the reserved address, so no other client gets a lease.
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
