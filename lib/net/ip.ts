// Converts IP addresses between text and bytes.

/** Returns the 4 or 16 bytes from `start` as text: an IPv6 address as RFC 5952 writes it. */
export function formatIp(bytes: ArrayLike<number>, start = 0, end = bytes.length): string {
  return end - start === 4 ? formatIpv4(bytes, start) : formatIpv6(bytes, start);
}

function formatIpv4(bytes: ArrayLike<number>, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

function formatIpv6(bytes: ArrayLike<number>, at: number): string {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((bytes[at + i]! << 8) | bytes[at + i + 1]!);
  const [first, length] = longestZeros(groups);
  // ::ffff:0:0/96, the IPv4-mapped addresses (RFC 5952 section 5).
  if (first === 0 && length === 5 && groups[5] === 0xffff) return `::ffff:${formatIpv4(bytes, at + 12)}`;
  let text = "";
  for (let i = 0; i < 8; i++) {
    if (i === first) {
      text += "::";
      i += length - 1;
    } else text += i === 0 || i === first + length ? groups[i]!.toString(16) : `:${groups[i]!.toString(16)}`;
  }
  return text;
}

/**
 * Returns the position and the length of the longest run of two or more zero groups. Among equals,
 * the first one.
 */
function longestZeros(groups: readonly number[]): [first: number, length: number] {
  let first = -1;
  let length = 1;
  for (let i = 0, run = 0; i < 8; i++) {
    run = groups[i] === 0 ? run + 1 : 0;
    if (run > length) {
      length = run;
      first = i - run + 1;
    }
  }
  return first < 0 ? [-2, 0] : [first, length];
}

/**
 * Returns the 4 or 16 bytes of an address in any of its spellings (RFC 4291 section 2.2). Undefined
 * if the text is not an address.
 */
export function parseIp(text: string): number[] | undefined {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): number[] | undefined {
  const bytes: number[] = [];
  let byte = 0;
  let digits = 0;
  for (let i = 0; i <= text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit >= 0 && digit <= 9) {
      byte = byte * 10 + digit;
      digits++;
      // No leading zeros: some parsers read them as octal.
      if (byte > 255 || (digits > 1 && byte < 10)) return undefined;
    } else {
      if (digits === 0 || (i < text.length && text[i] !== ".")) return undefined;
      bytes.push(byte);
      byte = 0;
      digits = 0;
    }
  }
  return bytes.length === 4 ? bytes : undefined;
}

function parseIpv6(text: string): number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1]!, true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 16 - head.length - tail.length;
  // "::" stands for at least one group.
  if (halves.length === 2 ? missing < 2 : missing !== 0) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

/**
 * Returns the bytes of groups with colons between them. At the end of an address the last two
 * groups may be written as an IPv4 address.
 */
function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [i, group] of groups.entries()) {
    if (last && i === groups.length - 1 && group.includes(".")) {
      const ipv4 = parseIpv4(group);
      if (ipv4 === undefined) return undefined;
      bytes.push(...ipv4);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(group)) return undefined;
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes;
}

/**
 * Whether the text is an IPv4 address: four decimal numbers without leading zeros, such as
 * 10.244.0.7 (as inet_pton(3) reads them).
 */
export function isIpv4(text: string): boolean {
  return parseIp(text)?.length === 4;
}

/**
 * Whether the text is an IPv6 address (RFC 4291 section 2.2) without a zone, such as 2001:db8::1,
 * :: or ::ffff:10.0.0.1.
 */
export function isIpv6(text: string): boolean {
  return parseIp(text)?.length === 16;
}

/** Whether the text is an IPv4 or IPv6 address without a prefix length. */
export function isIp(text: string): boolean {
  return parseIp(text) !== undefined;
}

/**
 * Whether the text is an address with its prefix length, such as 10.244.0.7/24 or 2001:db8::1/64.
 */
export function isCidr(text: string): boolean {
  const [, address, length] = /^([^/]*)\/(0|[1-9]\d{0,2})$/.exec(text) ?? [];
  const bytes = address === undefined ? undefined : parseIp(address);
  return bytes !== undefined && Number(length) <= 8 * bytes.length;
}

/** Returns the network that an address is in: `networkOf("10.244.0.7", 24)` = `10.244.0.0`. */
export function networkOf(address: string, prefixLength: number): string {
  const bytes = parseIp(address);
  if (bytes === undefined) return address;
  return formatIp(
    bytes.map((byte, position) => byte & (0xff00 >> Math.min(8, Math.max(0, prefixLength - 8 * position)))),
  );
}
