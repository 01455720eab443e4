// Replaces values that differ from run to run by the kind of the value, such as names of
// namespaces, link indexes and MAC addresses.

/** Keys of texts for operators. These texts may change from release to release. */
const words = new Set(["msg", "details", "fact", "hint", "remedy", "why", "words", "notes", "faults", "what"]);

/**
 * Masks a JSON document: text for operators, and values that vary. Text that is not JSON becomes
 * `<text>`.
 */
export function maskedDocument(text: string): string {
  try {
    return maskedText(JSON.stringify(JSON.parse(text), (key, value) => (words.has(key) ? "<words>" : value)));
  } catch {
    return text === "" ? "" : "<text>";
  }
}

const patterns: readonly (readonly [RegExp, string])[] = [
  [/\b(container-)?[a-z]{3}-\d+-\d+\b/g, "<netns>"],
  [/\/run\/([a-z-]+)\/test-\w{6}/g, "/run/$1/<test>"],
  [/\/(tmp|fixtures)\/[^"\s/]*/g, "/$1/<name>"],
  [/"\/[^"]*\.tap\/fixtures[^"]*"/g, '"<fixture>"'],
  [/(?:[0-9a-f]{2}:){5}[0-9a-f]{2}/g, "<mac>"],
  [/\bfe80::[0-9a-f:]+/g, "<link-local>"],
  [
    /"(device|inode|time|cookie|index|mark|pid|validLifetime|valid|preferred|expires|oif|master|link)":"?\d+(\.\d+)?"?/g,
    '"$1":"<$1>"',
  ],
  [/\/proc\/\d+\//g, "/proc/<pid>/"],
  [/\b(net|socket|pipe):\[\d+\]/g, "$1:[<inode>]"],
  [/\btest-(\w{6}|[0-9a-f-]{36})\b/g, "<test>"],
  [/\bveth[0-9a-f]{8}\b/g, "<veth>"],
];

/** Masks the values in a text that vary. */
export function maskedText(text: string): string {
  return patterns.reduce((masked, [pattern, mask]) => masked.replaceAll(pattern, mask), text);
}

/**
 * Masks the values that vary in a system call as strace prints it. Undefined for a call that sends
 * and changes nothing.
 */
export function maskedCall(text: string): string | undefined {
  const sent =
    /^sendto\(.*nlmsg_type=(?:\w+ )?(?:\/\* )?(0x\w+|RTM_\w+).*?nlmsg_flags=([\w|]+), .*?\}(?:, "((?:\\x[0-9a-f]{2})*)")?/.exec(
      text,
    );
  if (sent !== null) {
    const [, type, flags, payload = ""] = sent;
    return `netlink ${type} ${flags} ${maskedMessage(Number(type), bytesOf(payload))}`;
  }
  if (!/^\w+\(/.test(text)) return undefined;
  if (/^(open|openat)\((?!.*O_(CREAT|TRUNC))/.test(text)) return undefined;
  const written = /^write\(\d+<([^>]*)>, (".*"), \d+\)/.exec(text);
  if (written !== null) {
    const [, path, literal] = written;
    if (/^write\([12]</.test(text)) return undefined;
    return `write ${maskedText(path!)} ${maskedText(unescaped(literal!))}`;
  }
  if (/^ioctl\(.*(TCGETS|TIOCG|NS_GET)/.test(text)) return undefined;
  return maskedText(text)
    .replaceAll(/^(\w+)\(\d+</g, "$1(<fd><")
    .replaceAll(/AT_FDCWD<[^>]*>/g, "AT_FDCWD")
    .replaceAll(/\b0x[0-9a-f]{6,}\b/g, "<address>")
    .replaceAll(/ = \d+(<[^>]*>)?/g, " = <fd>");
}

function unescaped(literal: string): string {
  try {
    return JSON.parse(literal) as string;
  } catch {
    return literal;
  }
}

function bytesOf(literal: string): Uint8Array {
  return Uint8Array.from([...literal.matchAll(/\\x([0-9a-f]{2})/g)].map(([, hex]) => Number.parseInt(hex!, 16)));
}

/**
 * For links, addresses, routes and neighbours: the length of the header, the offset of the link
 * index, and the attributes with values that vary.
 */
const layouts: Readonly<
  Record<number, readonly [header: number, index: number | undefined, attributes: readonly number[]]>
> = {
  // IFLA_ADDRESS, IFLA_MASTER, IFLA_GROUP
  16: [16, 4, [1, 10, 27]],
  20: [8, 4, []],
  // RTA_OIF
  24: [12, undefined, [4]],
  // NDA_LLADDR
  28: [12, 4, [2]],
};

/**
 * Masks a message of rtnetlink: returns its header, then each attribute as `type=value` in hex. `*`
 * replaces a value that varies.
 */
export function maskedMessage(type: number, bytes: Uint8Array): string {
  const layout = layouts[type & ~3];
  if (layout === undefined) return hex(bytes);
  const [header, index, varying] = layout;
  const parts = [
    index === undefined
      ? hex(bytes.slice(0, header))
      : `${hex(bytes.slice(0, index))}*${hex(bytes.slice(index + 4, header))}`,
  ];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = header; at + 4 <= bytes.length; ) {
    const length = view.getUint16(at, true);
    const attribute = view.getUint16(at + 2, true);
    if (length < 4) break;
    const value = bytes.slice(at + 4, at + length);
    const isLinkLocal = value.length === 16 && value[0] === 0xfe && value[1] === 0x80;
    // The lifetimes of addresses decrease with time (IFA_CACHEINFO).
    const isVarying = varying.includes(attribute) || isLinkLocal || ((type & ~3) === 20 && attribute === 6);
    parts.push(`${attribute}=${isVarying ? "*" : hex(value)}`);
    at += (length + 3) & ~3;
  }
  return parts.join(" ");
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
