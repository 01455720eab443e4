// Describes a plugin's netconf: a table of fields. The schema of a field is built only if the
// netconf has the field.
import { CniError, code } from "./errors.ts";
import type { JsonObject } from "./json.ts";
import type { NetconfSchema } from "./plugin.ts";
import { roots } from "./roots.ts";
import { directoryBelow, fileIn, oneOf, type Schema, validate } from "./schemas.ts";
import { unknownField } from "./spelling.ts";

/** Whether a field is required, optional, or has a default. */
export type Presence = "required" | "optional" | "defaulted";

/**
 * One field. The schema is a function, because building it costs more than using it (8-20 µs for
 * each node).
 */
export interface Field<T, P extends Presence = Presence> {
  readonly schema: () => Schema<T>;
  readonly presence: P;
  /** The value of a `defaulted` field that is left out. */
  readonly fallback?: T;
  /** What it means that DEL and GC ignore an invalid value. Absent if it means nothing. */
  readonly ignored?: string;
}

// biome-ignore lint/suspicious/noExplicitAny: fields of all types
type Table = Readonly<Record<string, Field<any>>>;
type Names<T extends Table, P extends Presence> = {
  [K in keyof T]: T[K] extends Field<unknown, P> ? K : never;
}[keyof T];
type ValueOf<F> = F extends Field<infer T> ? T : never;
type Values<T extends Table, P extends Presence> = { readonly [K in Names<T, P>]: ValueOf<T[K]> } & {
  readonly [K in Exclude<keyof T, Names<T, P>>]?: ValueOf<T[K]>;
};
/** Written out, so that an editor shows the fields. */
type Plain<T> = { readonly [K in keyof T]: T[K] };
type Valid<T extends Table> = Plain<Values<T, "required" | "defaulted">>;
type Salvaged<T extends Table> = Plain<Values<T, "defaulted">>;

/**
 * A schema whose fields can be listed: for the documentation and for editors (netconf-schema.ts).
 */
export interface FieldSchema<C, D> extends NetconfSchema<C, D> {
  readonly fields: () => Readonly<Record<string, Field<unknown>>>;
}

/** The type of a valid value: `type Conf = ConfOf<typeof schema>`. */
export type ConfOf<N> = N extends NetconfSchema<infer C, unknown> ? C : never;

/** The type of what DEL and GC receive. */
export type SalvagedOf<N> = N extends NetconfSchema<unknown, infer D> ? D : never;

/** A field that the netconf must have. */
export function required<T>(schema: () => Schema<T>): Field<T, "required"> {
  return { schema, presence: "required" };
}

/** A field that may be left out. */
export function optional<T>(schema: () => Schema<T>): Field<T, "optional"> {
  return { schema, presence: "optional" };
}

/** A field that is `fallback` if it is left out. */
export function defaulted<T>(fallback: NoInfer<T>, schema: () => Schema<T>): Field<T, "defaulted"> {
  return { schema, presence: "defaulted", fallback };
}

/** The directory of a plugin's journal. Default: `NAME` in the root of the state, or below that. */
export function journalDirectory(plugin: string): Field<string, "defaulted"> {
  const root = `${roots().state}/${plugin}`;
  const ignored = `reading ${root} instead; what was recorded elsewhere is not undone`;
  return { ...defaulted<string>(root, () => directoryBelow(root)), ignored };
}

/**
 * Returns the schema of netconfs with these fields and the standard ones ({@link standard}). `null`
 * means absent, as it does in Go.
 *
 * All faults are reported at once: `mtu: must be at least 68 bytes, not 42; netconf: unknown field
 * "vln", did you mean "vlan"?`.
 * @param fields the fields by name; a standard field that is also here is validated as it is here
 * @param rules returns the faults of a conf whose fields are valid one by one, such as `maxID: is
 *   below minID`
 */
export function defineSchema<const T extends Table>(
  fields: () => T,
  rules?: (conf: Valid<T>) => readonly string[],
): FieldSchema<Valid<T>, Salvaged<T>> {
  return {
    fields: () => ({ ...fields(), ...logging }),
    parse(object) {
      const { conf, faults } = read(object, fields());
      if (faults.length === 0 && rules !== undefined) faults.push(...rules(conf as Valid<T>));
      if (faults.length > 0) throw new CniError(code.badConfiguration, faults);
      return conf as Valid<T>;
    },
    salvage(object, warn) {
      const table = fields();
      for (const { name, text } of [...readFields(object, table).faults, ...readFields(object, logging).faults]) {
        const { ignored } = { ...logging, ...table }[name] as Field<unknown>;
        if (ignored !== undefined) warn?.(`${text}; ${ignored}`);
      }
      return readFields(object, table).conf as Salvaged<T>;
    },
  };
}

/** The fields of every plugin that concern the log (log.ts). */
const logging = {
  logLevel: defaulted("warn", () => oneOf("error", "warn", "info")),
  logFile: { ...optional(() => fileIn(roots().log)), ignored: "nothing is written to it" },
};

/** What is logged, and the file in addition to standard error. */
export type Logging = Plain<Values<typeof logging, "defaulted">>;

/** Returns the log's part of a netconf. Ignores invalid fields. */
export function loggingOf(object: JsonObject): Logging {
  return readFields(object, logging).conf as Logging;
}

/** Returns the valid fields, and the faults of the others. */
function read(object: JsonObject, table: Table): { conf: Record<string, unknown>; faults: string[] } {
  const { conf, faults: own } = readFields(object, table);
  const faults = [...own, ...readFields(object, logging).faults].map(({ text }) => text);
  const names = [...Object.keys(table), ...Object.keys(logging)];
  const known = [...names, ...Object.keys(standard)];
  for (const name of Object.keys(object)) {
    const fault = names.includes(name) ? undefined : faultOfOther(name, object[name], known);
    if (fault !== undefined) faults.push(fault);
  }
  return { conf, faults };
}

/** What is wrong with a field. */
interface Fault {
  readonly name: string;
  readonly text: string;
}

function readFields(object: JsonObject, table: Table): { conf: Record<string, unknown>; faults: Fault[] } {
  const conf: Record<string, unknown> = {};
  const faults: Fault[] = [];
  for (const name of Object.keys(table)) {
    const { schema, presence, fallback } = table[name]!;
    const value = object[name];
    if (presence === "defaulted") conf[name] = fallback;
    if (value === undefined || value === null) {
      if (presence === "required") faults.push({ name, text: `${name}: is missing` });
      continue;
    }
    const outcome = validate(schema(), value, name);
    if ("value" in outcome) conf[name] = outcome.value;
    else faults.push(...outcome.faults.map((text) => ({ name, text })));
  }
  return { conf, faults };
}

/**
 * The standard fields: those that the runtime, Multus or the author of a list may add to any
 * netconf, with the type of each (SPEC.md, section 1; CONVENTIONS.md).
 */
export const standard = {
  cniVersion: "text",
  name: "text",
  type: "text",
  disableCheck: "true or false",
  capabilities: "an object",
  runtimeConfig: "an object",
  args: "an object",
  prevResult: "an object",
  ipam: "an object",
  dns: "an object",
  // Multus adds both to every netconf that uses a device.
  deviceID: "text",
  pciBusID: "text",
} as const;

/**
 * Returns what is wrong with a field that is not the plugin's own. Only runtimes write keys that
 * begin with `cni.dev/`.
 */
function faultOfOther(name: string, value: unknown, known: readonly string[]): string | undefined {
  if (value === null || name.startsWith("cni.dev/")) return undefined;
  if (!Object.hasOwn(standard, name)) return `netconf: ${unknownField(name, known)}`;
  const expected = standard[name as keyof typeof standard];
  const found = Array.isArray(value) ? "a list" : kinds[typeof value];
  return found === expected ? undefined : `${name}: must be ${expected}, not ${found}`;
}

const kinds: Readonly<Record<string, string>> = {
  string: "text",
  object: "an object",
  boolean: "true or false",
  number: "a number",
};
