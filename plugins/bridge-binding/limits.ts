// What the kernel sets bounds to.

/**
 * IPV6_MIN_MTU of <linux/ipv6.h>: a link with less has no IPv6 at all, not even the sysctl that
 * switches it off.
 */
export const leastIpv6Mtu = 1280;

/** The most that drivers/net/tun.c allows: MAX_MTU less an Ethernet header. */
export const largestTapMtu = 65521;
