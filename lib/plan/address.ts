// Classifies addresses, and creates addresses that the kernel did not report.
import type { Address } from "./state.ts";

/** AF_INET and AF_INET6 of <linux/socket.h>. */
const families = { ipv4: 2, ipv6: 10 } as const;

/** RT_SCOPE_LINK of <linux/rtnetlink.h>. */
const linkScope = 253;

export function isIpv4Address({ message }: Address): boolean {
  return message.family === families.ipv4;
}

export function isIpv6Address({ message }: Address): boolean {
  return message.family === families.ipv6;
}

/**
 * Whether the address is an IPv6 link-local one, which the kernel adds to every link that is up.
 */
export function isIpv6LinkLocal({ message }: Address): boolean {
  return message.family === families.ipv6 && message.scope === linkScope;
}

/** Such as `10.244.0.7/24`. */
export function addressText({ message }: Address): string {
  return `${message.local ?? message.address}/${message.prefixLength}`;
}

/** Returns the address that `ip address add CIDR` would create. `cidr` is validated. */
export function addressFromCidr(cidr: string): Address {
  const [address, prefixLength] = cidr.split("/") as [string, string];
  const ipv6 = address.includes(":");
  return {
    message: {
      family: ipv6 ? families.ipv6 : families.ipv4,
      prefixLength: Number(prefixLength),
      scope: 0,
      flags: 0,
      local: address,
      address,
    },
    prefixRoute: true,
  };
}
