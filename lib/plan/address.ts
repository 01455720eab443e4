// Classifies addresses.
import { networkOf } from "../net/ip.ts";
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

/**
 * Returns the route that the kernel adds with the address, to the network, or to
 * the peer of an IPv6 address (__ipv6_ifa_notify).
 */
export function prefixRouteOf({ family, prefixLength, local, address }: Address["message"]): {
  destination: string;
  length: number;
} {
  const own = address ?? local ?? "";
  const hasPeer = family === families.ipv6 && local !== undefined && local !== address;
  const length = hasPeer ? 128 : prefixLength;
  return { destination: networkOf(own, length), length };
}

/** Returns that route's destination, such as `10.244.0.0/24`. */
export function networkText({ message }: Address): string {
  const { destination, length } = prefixRouteOf(message);
  return `${destination}/${length}`;
}

/** Such as `10.244.0.7/24`. */
export function addressText({ message }: Address): string {
  return `${message.local ?? message.address}/${message.prefixLength}`;
}
