// Configures addresses in a guest without a server for them: KubeVirt has no IPv6 server for its
// bridge binding, and no server at all for managedTap.
import type { VirtualMachine } from "../guest.ts";

/** Configures an address and the default route through a gateway. */
export async function configure(guest: VirtualMachine, address: string, gateway: string): Promise<void> {
  await assign(guest, address);
  const family = gateway.includes(":") ? "-6" : "-4";
  await guest.run(`ip ${family} route add default via ${gateway} dev eth0`);
}

/**
 * Adds an address. For IPv6, resolves when duplicate address detection has finished.
 *
 * Rejects if another machine uses the address: `… duplicate address fd00::1 used by …`.
 */
export async function assign(guest: VirtualMachine, address: string): Promise<void> {
  await guest.run(`ip link set eth0 up; ip address add ${address} dev eth0 || exit
    while ip -6 address show dev eth0 | grep -q tentative; do
      if dmesg | grep 'duplicate address ${address.split("/")[0]} '; then exit 1; fi
      sleep 0.1
    done`);
}
