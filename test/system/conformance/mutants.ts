// Valid calls with a few random mutations, which fast-check generates and shrinks.
import { fc } from "../../harness/fast-check.ts";
import { versions } from "../../harness/previous-result.ts";
import type { Ground } from "./subject.ts";
import type { Changes } from "./trial.ts";

/** The mutations that {@link changesOf} applies to a ground's call. */
export interface Mutant {
  readonly verb: string;
  readonly version: string;
  /** Whether the configuration has a prevResult. */
  readonly chained: boolean;
  readonly variables: readonly (readonly [name: string, value: string | undefined])[];
  readonly edits: readonly Edit[];
  readonly cuts: readonly Cut[];
}

/** A mutation of one value of the configuration: the `at`th of all its values. */
interface Edit {
  readonly at: number;
  readonly what: "remove" | "replace" | "rename" | "add" | "repeat";
  readonly key: string;
  readonly value: unknown;
}

/** A mutation of the configuration's text. */
interface Cut {
  readonly at: number;
  readonly remove: number;
  readonly insert: string;
}

/** Marks text that is written without quotes: JSON numbers that JSON.stringify never writes. */
const raw = (text: string): string => `<raw>${text}</raw>`;

const words = [
  "",
  " ",
  "0",
  "eth0",
  "lo",
  "net1",
  "..",
  "../x",
  "a/b",
  "a:b",
  "\n",
  "\0",
  "ä",
  "\u2028",
  "\u202e",
  "\ud800",
  "tap",
  "none",
  "auto",
  "on",
  "1.1.0",
  "0.2.0",
  "10.0.0.1/8",
  "10.0.0.1/33",
  "::/0",
  "02:00:00:00:00:01",
  "ff:ff:ff:ff:ff:ff",
  "not found",
  "__proto__",
  "constructor",
  "a".repeat(5000),
];
const keys = [
  "__proto__",
  "constructor",
  "toString",
  "length",
  "",
  "Name",
  "mtu",
  "mac",
  "vlan",
  "interface",
  "interfaces",
  "ips",
  "routes",
  "address",
  "cni",
  "runtimeConfig",
  "cni.dev/valid-attachments",
  "prevResult",
  "ip4",
  "ip6",
  "owner",
  "queues",
  "pingGroupRange",
  "zzz",
];
const numbers = [
  0,
  -1,
  1,
  1.5,
  67,
  68,
  4094,
  4095,
  65_535,
  65_536,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53,
  raw("1e400"),
  raw("-0"),
  raw("9007199254740993"),
  raw("1e-7"),
];

// Without U+FFFD: in the output it means that the output was not UTF-8.
const text = fc
  .oneof(fc.constantFrom(...words), fc.string({ maxLength: 20 }), fc.string({ unit: "binary", maxLength: 8 }))
  .map((one) => one.replaceAll("\ufffd", "x"));
const value = fc.oneof(
  text,
  fc.constantFrom<unknown>(...numbers, null, true, false, [], {}, [[]], [null], { a: null }, [{}], "10.0.0.1"),
  fc.jsonValue({ maxDepth: 2 }).filter((one) => !JSON.stringify(one).includes("\ufffd")),
);

const variable = fc.tuple(
  fc.constantFrom("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH"),
  // Variables are UTF-8 here, and have no NUL.
  fc.option(
    fc.oneof(
      text.map((one) => one.replaceAll(/[\0\ud800-\udfff]/g, "x")),
      fc.constantFrom("/proc/self/ns/net", "/dev/null", "/run/netns", "MAC=02:00:00:00:00:09;A", "A=1;A=2", "MAC=x"),
    ),
    { nil: undefined },
  ),
);

const edit = fc.record<Edit>({
  at: fc.nat(1000),
  what: fc.constantFrom("remove", "replace", "rename", "add", "repeat"),
  key: fc.oneof(fc.constantFrom(...keys), text),
  value,
});

const cut = fc.record<Cut>({
  at: fc.nat(5000),
  remove: fc.nat(3),
  insert: fc.constantFrom(
    "",
    "{",
    "}",
    "[",
    "]",
    '"',
    ",",
    ":",
    "\\",
    "\0",
    "\u0001",
    "0",
    "-",
    "e",
    "\\ud800",
    "null",
    " ",
    "\ufeff",
    "/*",
    "𝔘",
  ),
});

/** Generates calls of these verbs. */
export function mutant(...verbs: readonly string[]): fc.Arbitrary<Mutant> {
  return fc.record({
    verb: fc.constantFrom(...verbs),
    version: fc.oneof(
      { weight: 3, arbitrary: fc.constant("1.1.0") },
      { weight: 2, arbitrary: fc.constantFrom(...versions) },
    ),
    chained: fc.boolean(),
    variables: fc.array(variable, { maxLength: 2 }),
    edits: fc.array(edit, { maxLength: 3 }),
    cuts: fc.oneof(
      { weight: 3, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(cut, { maxLength: 2 }) },
    ),
  });
}

/**
 * The mutated call. `dataDir` and `ipam` are never mutated: they could name any path or program of
 * the machine.
 */
export function changesOf({ version, chained, variables, edits, cuts }: Mutant, ground: Ground): Changes {
  const { dataDir, ipam, ...rest } = ground.netconf;
  const base = { ...rest, cniVersion: version, ...(chained && { prevResult: ground.previousResult(version) }) };
  const tree: unknown = JSON.parse(JSON.stringify(base));
  for (const one of edits) apply(one, tree);
  const fixed = JSON.stringify({ dataDir, ipam }).slice(1, -1);
  const edited = JSON.stringify(tree).replaceAll(/"<raw>([^<]*)<\/raw>"/g, "$1");
  const broken = cuts.reduce((text, { at, remove, insert }) => {
    const place = at % (text.length + 1);
    return text.slice(0, place) + insert + text.slice(place + remove);
  }, edited);
  // At the end: of several keys with the same name, the last one counts.
  const whole = /\}\s*$/.test(broken)
    ? broken.replace(/\}\s*$/, `${/^\{\s*\}\s*$/.test(broken) ? "" : ","}${fixed}}`)
    : broken;
  // A cut in the middle of a character leaves U+FFFD.
  const stdin = Buffer.from(whole).toString().replaceAll("\ufffd", "x");
  const set = variables.filter((one): one is readonly [string, string] => one[1] !== undefined);
  const unset = variables.filter(([, one]) => one === undefined).map(([name]) => name);
  return { stdin, call: { env: Object.fromEntries(set) }, unset };
}

type Container = Record<string, unknown>;

function apply({ at, what, key, value }: Edit, tree: unknown): void {
  const places = placesIn(tree);
  const { container, name } = places[at % places.length] ?? {};
  if (container === undefined || name === undefined) return;
  const own = container[name];
  const put = (name: string, value: unknown): void => {
    // Not by assignment, which would treat `__proto__` differently.
    Object.defineProperty(container, name, { value, enumerable: true, configurable: true, writable: true });
  };
  if (what === "remove" || what === "rename") Reflect.deleteProperty(container, name);
  if (what === "replace") put(name, value);
  if (what === "rename") put(Array.isArray(container) ? name : key, own);
  if (what === "add") put(Array.isArray(container) ? `${container.length}` : key, value);
  if (what === "repeat") put(name, [own, own, value]);
}

function placesIn(value: unknown): { container: Container; name: string }[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.keys(value).flatMap((name) => [
    { container: value as Container, name },
    ...placesIn((value as Container)[name]),
  ]);
}
