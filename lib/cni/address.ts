// Whether a text is an address: IPv4, IPv6, with a prefix length, MAC, PCI.

/** Four decimal numbers without leading zeros, such as 10.244.0.7 (as inet_pton(3) takes them). */
export function isIpv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
}

/** RFC 4291, section 2.2, without a zone: 2001:db8::1, ::, ::ffff:10.0.0.1. */
export function isIpv6(text: string): boolean {
  const halves = text.split("::");
  if (halves.length > 2) return false;
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  const last = groups.at(-1)!;
  let count = groups.reduce((sum, { length }) => sum + length, 0);
  if (last.length > 0 && last.at(-1)!.includes(".")) {
    if (!isIpv4(last.pop()!)) return false;
    count++;
  }
  if (!groups.every((half) => half.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group)))) return false;
  return halves.length === 2 ? count < 8 : count === 8;
}

/** An IPv4 or IPv6 address without a prefix length. */
export function isIp(text: string): boolean {
  return isIpv4(text) || isIpv6(text);
}

/** An address with its prefix length, such as 10.244.0.7/24 or 2001:db8::1/64. */
export function isCidr(text: string): boolean {
  const [, address, length] = /^([^/]*)\/(0|[1-9]\d{0,2})$/.exec(text) ?? [];
  if (address === undefined) return false;
  return isIpv4(address) ? Number(length) <= 32 : isIpv6(address) && Number(length) <= 128;
}

/**
 * A MAC address in the kernel's spelling, lower case with colons; undefined where the text is none, or one that no link can have:
 * a multicast one, or all zeros (`is_valid_ether_addr` of <linux/etherdevice.h>).
 */
export function normalMac(text: string): string | undefined {
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text) && !/^[0-9a-fA-F]{2}(-[0-9a-fA-F]{2}){5}$/.test(text))
    return undefined;
  const mac = text.toLowerCase().replaceAll("-", ":");
  return /^.[13579bdf]|^00:00:00:00:00:00$/.test(mac) ? undefined : mac;
}

/** A PCI address with its domain, such as 0000:3b:02.6. */
export function isPciAddress(text: string): boolean {
  return /^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/.test(text);
}
