// The kinds of values that configurations are made of. The error text of each kind is what a value
// must be, such as `a whole number`. No other file imports zod.
import * as z from "zod/mini";
import { isCidr, isIp } from "../net/ip.ts";
import { normalMac } from "../net/mac.ts";
import { isPciAddress } from "../sysfs/pci.ts";
import { isVfioDriver } from "../sysfs/vfio.ts";
import { linkNameFault } from "./environment.ts";
import { unknownField } from "./spelling.ts";

// Otherwise zod would compile source text at run time, which takes this engine longer than
// validating does.
z.config({ jitless: true });

/** What a value has to be. */
export type Schema<T> = z.ZodMiniType<T>;

/**
 * Gives the value, or what is wrong with it, each fault beginning with `name` or the path of what
 * is below it: `vlanTrunk[2].id: must be at most 4094, not 5000`.
 */
export function validate<T>(
  schema: Schema<T>,
  value: unknown,
  name: string,
): { readonly value: T } | { readonly faults: string[] } {
  const parsed = z.safeParse(schema, value);
  return parsed.success
    ? { value: parsed.data }
    : { faults: parsed.error.issues.flatMap((issue) => explain(issue, value, name)) };
}

// ---- numbers, switches and words

/** A whole number. `unit`, such as "bytes", is for the explanation. */
export function integer({
  min,
  max,
  unit,
}: {
  readonly min: number;
  readonly max: number;
  readonly unit?: string;
}): Schema<number> {
  const limit = (bound: number): string => (unit === undefined ? `${bound}` : `${bound} ${unit}`);
  return z
    .int({ error: "a whole number", abort: true })
    .check(z.gte(min, `at least ${limit(min)}`), z.lte(max, `at most ${limit(max)}`));
}

/** `true` or `false`; not "yes", not 1. */
export function flag(): Schema<boolean> {
  return z.boolean("true or false");
}

/** One of some words, spelled exactly so. */
export function oneOf<const T extends readonly [string, ...string[]]>(...words: T): Schema<T[number]> {
  return z.enum(words, `${words.map((word) => JSON.stringify(word)).join(" or ")}`);
}

/** Text that says something: 1 to `max` characters, none of them a control character. */
export function text({ max = 255 }: { readonly max?: number } = {}): Schema<string> {
  const words = `text of 1 to ${max} characters`;
  return z
    .string(words)
    .check(z.minLength(1, words), z.maxLength(max, words), z.regex(printable, `${words}, without control characters`));
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const printable = /^[^\u0000-\u001f\u007f]*$/;

// ---- names and addresses

/** A MAC address that a link can have, in any spelling; given in the kernel's. */
export function mac(): Schema<string> {
  const words = "a unicast MAC address such as 02:00:00:00:00:01";
  return format("mac", (value) => normalMac(value) !== undefined, words).check(
    z.overwrite((value) => normalMac(value) ?? value),
  );
}

/** An IPv4 or IPv6 address without a prefix length. */
export function ip(): Schema<string> {
  return format("ip", isIp, "an IP address such as 10.0.0.1 or fd00::1");
}

/** An IPv4 or IPv6 address with its prefix length. */
export function cidr(): Schema<string> {
  return format("cidr", isCidr, "an address with its prefix length, such as 10.0.0.1/24");
}

/** What the kernel takes as a link's name. */
export function linkName(): Schema<string> {
  const words = "a link's name: 1 to 15 bytes without white space, / or :";
  return format("link-name", (value) => linkNameFault(value) === undefined, words);
}

/** A PCI address with its domain. */
export function pciAddress(): Schema<string> {
  return format("pci-address", isPciAddress, "a PCI address such as 0000:3b:02.6");
}

/** The name of a PCI driver that hands a device to user space. */
export function vfioDriver(): Schema<string> {
  return format("vfio-driver", isVfioDriver, "the name of a VFIO driver, such as vfio-pci or mlx5_vfio_pci");
}

/**
 * A directory, or one below it: what a netconf names must not lead to any other place on the node.
 * `/var/run` is accepted in place of `/run`, to which it is a symbolic link.
 */
export function directoryBelow(root: string): Schema<string> {
  const words = `${root} or a directory below it`;
  return format(`directory-below:${root}`, (value) => isBelow(root, withoutVar(value)), words).check(
    z.overwrite(withoutVar),
  );
}

/** A file in a directory, by its path: the name has letters, digits, `.`, `_` and `-` alone. */
export function fileIn(directory: string): Schema<string> {
  const isFile = (value: string): boolean => {
    const name = value.startsWith(`${directory}/`) ? value.slice(directory.length + 1) : "";
    return /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,99}$/.test(name);
  };
  return format(`file-in:${directory}`, isFile, `a file in ${directory}, such as ${directory}/vms.log`);
}

/** Whether the path is the directory, or leads below it without going up again. */
export function isBelow(root: string, path: string): boolean {
  if (path.length >= 4096 || path.includes("\0")) return false;
  return (
    path === root || (path.startsWith(`${root}/`) && !path.split("/").some((part) => part === ".." || part === "."))
  );
}

/** `/var/run` is a symbolic link to `/run`. */
export function withoutVar(path: string): string {
  return path.startsWith("/var/run/") ? path.slice("/var".length) : path;
}

function format(name: string, accepts: (value: string) => boolean, words: string): Schema<string> {
  // Without abort a union would take the text for one of this format, and report nothing else.
  return z.stringFormat(name, accepts, { error: words, abort: true });
}

// ---- composites

/** A list of up to `max` things. */
export function list<T>(of: Schema<T>, { max }: { readonly max?: number } = {}): Schema<T[]> {
  const schema = z.array(of, "a list");
  return max === undefined ? schema : schema.check(z.maxLength(max, `a list of at most ${max} entries`));
}

/** A list of two things. */
export function pair<T>(of: Schema<T>): Schema<readonly [T, T]> {
  return z.tuple([of, of], { error: "a list of two" });
}

/** An object with these keys and no others. A key that may be left out is `maybe(…)`. */
export function object<T extends z.core.$ZodLooseShape>(shape: T): Schema<z.infer<z.ZodMiniObject<T, z.core.$strict>>> {
  const error: z.core.$ZodErrorMap = (issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => unknownField(key, Object.keys(shape))).join("; ")
      : "an object";
  return z.strictObject(shape, { error }) as Schema<z.infer<z.ZodMiniObject<T, z.core.$strict>>>;
}

/** A key of an {@link object} that may be left out. */
export function maybe<T>(schema: Schema<T>): z.ZodMiniOptional<Schema<T>> {
  return z.optional(schema);
}

/** One of several things. */
export function either<const T extends readonly Schema<unknown>[]>(...of: T): Schema<z.infer<T[number]>> {
  return z.union(of);
}

// ---- explanations

type Issue = z.core.$ZodIssue;

function explain(issue: Issue, value: unknown, name: string): string[] {
  const { path, value: found } = follow(issue.path, value, name);
  if (issue.code === "unrecognized_keys") return [`${path}: ${issue.message}`];
  if (found === undefined) return [`${path}: is missing`];
  if (issue.code !== "invalid_union") return [mustBe(path, issue.message, found)];
  // If only a fault below the value excludes an alternative, the author meant that alternative.
  const isBelow = (one: Issue): boolean => one.path.length > 0 || one.code === "unrecognized_keys";
  const branch = issue.errors
    .filter((issues) => issues.every(isBelow))
    .sort((one, other) => one.length - other.length)[0];
  if (branch !== undefined) return branch.flatMap((one) => explain(one, found, path));
  const wanted = new Set(issue.errors.map(([one]) => one!.message));
  return [mustBe(path, [...wanted].join(", or "), found)];
}

function mustBe(path: string, wanted: string, found: unknown): string {
  return `${path}: must be ${wanted}, not ${shown(found)}`;
}

function follow(keys: readonly PropertyKey[], value: unknown, name: string): { path: string; value: unknown } {
  let path = name;
  let found = value;
  for (const key of keys) {
    path += typeof key === "number" ? `[${key}]` : `.${String(key)}`;
    found = (found as Record<PropertyKey, unknown> | null | undefined)?.[key];
  }
  return { path, value: found };
}

/** A value, short enough for a message. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value !== "string") return String(value);
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
}
