// Limits of the kernel.

/**
 * IPV6_MIN_MTU of <linux/ipv6.h>: a link with a smaller MTU has no IPv6, and not even the sysctl
 * that switches IPv6 off.
 */
export const leastIpv6Mtu = 1280;

/** The maximum in drivers/net/tun.c: MAX_MTU minus an Ethernet header. */
export const largestTapMtu = 65521;
