// Reads and creates MAC addresses as text.

/** No MAC address: all zeros. */
export const noMac = "00:00:00:00:00:00";

/**
 * Returns a unicast MAC address in the kernel's spelling: lower case with colons.
 *
 * Undefined if the text is no MAC address, or one that no link can have: a multicast address, or
 * all zeros (`is_valid_ether_addr` of <linux/etherdevice.h>).
 */
export function normalMac(text: string): string | undefined {
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text) && !/^[0-9a-fA-F]{2}(-[0-9a-fA-F]{2}){5}$/.test(text))
    return undefined;
  const mac = text.toLowerCase().replaceAll("-", ":");
  return /^.[13579bdf]/.test(mac) || mac === noMac ? undefined : mac;
}

/**
 * Returns a locally administered unicast MAC address from the first ten hex digits of a text, such
 * as a hash.
 */
export function macFromHex(digits: string): string {
  return `02:${digits.slice(0, 10).match(/../g)!.join(":")}`;
}
