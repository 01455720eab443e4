// What a runtime may get wrong, and what any plugin of ours has to answer.
import type { Call } from "./plugin.ts";

/** What is refused, and how. */
export interface Refusal {
  readonly what: string;
  /** On top of a call that would succeed. */
  readonly call?: Call;
  /** Standard input, made of a configuration that would be taken. */
  readonly stdin?: (netconf: object) => string;
  readonly verb?: string;
  readonly code: number;
  readonly msg: RegExp;
  readonly details?: RegExp | string;
}

/** Standard input with `args` that deep, which nobody looks into. */
export const deep = (levels: number) => (netconf: object) =>
  JSON.stringify(netconf).replace("{", `{"args":${'{"a":'.repeat(levels)}1${"}".repeat(levels)},`);
const instead = (text: string) => () => text;
const without = (...names: string[]) => ({ env: Object.fromEntries(names.map((name) => [name, ""])) });

/** Calls that no plugin takes, whatever it does: SPEC.md, sections 2 and 5; what pkg/skel of containernetworking/cni answers. */
export const refusals: readonly Refusal[] = [
  { what: "an unknown verb", verb: "FOO", code: 4, msg: /^unknown CNI_COMMAND: FOO$/ },
  { what: "a verb in lower case", verb: "add", code: 4, msg: /^unknown CNI_COMMAND: add$/ },
  { what: "a property of every object as a verb", verb: "toString", code: 4, msg: /^unknown CNI_COMMAND: toString$/ },
  {
    what: "no container ID, no namespace and no interface",
    call: without("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"),
    code: 4,
    msg: /^required env variables \[CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME\] missing$/,
  },
  { what: "no namespace", call: without("CNI_NETNS"), code: 4, msg: /^required env variables \[CNI_NETNS\] missing$/ },
  {
    what: "DEL without a container ID, and without what it needs not",
    verb: "DEL",
    call: without("CNI_CONTAINERID", "CNI_NETNS"),
    code: 4,
    msg: /^required env variables \[CNI_CONTAINERID\] missing$/,
  },
  ...["../../etc/passwd", "../x", "a/b", "-a", ".a", "a b", "a\n", "ä"].map((containerId) => ({
    what: `the container ID ${JSON.stringify(containerId)}`,
    call: { containerId },
    code: 4,
    msg: /^invalid characters in containerID$/,
    details: JSON.stringify(containerId),
  })),
  {
    what: "a container ID that no file name has room for",
    call: { containerId: "a".repeat(300) },
    code: 102,
    msg: /CNI_CONTAINERID: is 300 characters long/,
  },
  { what: "an interface of 16 bytes", call: { ifname: "a".repeat(16) }, code: 4, msg: /^interface name is too long$/ },
  { what: "an interface of 8 letters and 16 bytes", call: { ifname: "ä".repeat(8) }, code: 4, msg: /is too long$/ },
  ...[".", ".."].map((ifname) => ({
    what: `the interface ${ifname}`,
    call: { ifname },
    code: 4,
    msg: /^interface name is \. or \.\.$/,
  })),
  ...["a/b", "a:b", "a b", "a\tb", "a\u00a0b", "a\u2003b", "a\n"].map((ifname) => ({
    what: `the interface ${JSON.stringify(ifname)}`,
    call: { ifname },
    code: 4,
    msg: /^interface name contains \/ or : or whitespace characters$/,
  })),
  { what: "CNI_ARGS without a pair", call: { args: "IgnoreUnknown" }, code: 4, msg: /CNI_ARGS: .*"IgnoreUnknown"/ },

  { what: "nothing on standard input", stdin: instead(""), code: 6, msg: /netconf: standard input is empty/ },
  { what: "white space on standard input", stdin: instead(" \n\t"), code: 6, msg: /netconf: standard input is empty/ },
  { what: "half an object", stdin: (netconf) => JSON.stringify(netconf).slice(0, -1), code: 6, msg: /netconf: / },
  { what: "a trailing byte", stdin: (netconf) => `${JSON.stringify(netconf)} x`, code: 6, msg: /netconf: / },
  { what: "two objects", stdin: (netconf) => JSON.stringify(netconf).repeat(2), code: 6, msg: /netconf: / },
  { what: "a list", stdin: (netconf) => JSON.stringify([netconf]), code: 6, msg: /netconf: .*object/ },
  { what: "null", stdin: instead("null"), code: 6, msg: /netconf: .*object/ },
  { what: "text", stdin: instead('"text"'), code: 6, msg: /netconf: .*object/ },
  { what: "JSON with a comment", stdin: (netconf) => `${JSON.stringify(netconf)} // c`, code: 6, msg: /netconf: / },
  { what: "JSON of 1 MiB that is 170 000 deep", stdin: deep(170_000), code: 6, msg: /netconf: .*(deep|nest|levels)/ },
  {
    what: "2 MiB",
    stdin: (netconf) => JSON.stringify({ ...netconf, dns: { a: "a".repeat(2 << 20) } }),
    code: 6,
    msg: /netconf: is longer than 1 MiB/,
  },
  { what: "an empty object", stdin: instead("{}"), code: 7, msg: /^missing network name$/ },
  {
    what: "an empty name",
    stdin: (netconf) => JSON.stringify({ ...netconf, name: "" }),
    code: 7,
    msg: /^missing network/,
  },
  {
    what: "a name with a slash",
    stdin: (netconf) => JSON.stringify({ ...netconf, name: "a/b" }),
    code: 7,
    msg: /^invalid characters found in network name$/,
    details: /a\/b/,
  },
  ...["9.9.9", "1.0", "1.0.1", "2.0.0", 1].map((cniVersion) => ({
    what: `cniVersion ${JSON.stringify(cniVersion)}`,
    stdin: (netconf: object) => JSON.stringify({ ...netconf, cniVersion }),
    code: 1,
    msg: /^incompatible CNI versions$/,
    details: /config is "?[\d.]+"?, plugin supports \["0\.1\.0",.*"1\.1\.0"\]/,
  })),
];
