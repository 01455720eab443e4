// Writes what editors and the documentation show of a netconf: a JSON Schema, and a table of its
// fields. Not part of any executable.
import * as z from "zod/mini";
import { type Field, type FieldSchema, standard } from "./netconf.ts";
import { versions } from "./versions.ts";

/** One sentence for each field, by its name: what the field does, not its type. */
export type Descriptions = Readonly<Record<string, string>>;

/**
 * Returns the JSON Schema (draft 2020-12) of a plugin's netconfs, with the standard fields.
 *
 * The schema accepts everything that the plugin accepts, except `null` for an absent field. Rules
 * between two fields, and some addresses and names, are checked by the plugin alone.
 * @param type the executable's name
 * @throws Error if a field has no description, or a description no field
 */
export function jsonSchema(type: string, netconf: FieldSchema<unknown, unknown>, descriptions: Descriptions): object {
  const { required, ...schema } = pluginSchema(type, netconf, descriptions);
  return { $schema: dialect, title: type, ...schema, required: ["cniVersion", "name", ...required] };
}

/**
 * Returns the JSON Schema of lists (.conflist). It checks the known plugins in a list and ignores
 * others. In a list the runtime adds the list's version and name to each plugin.
 */
export function listSchema(plugins: Readonly<Record<string, object>>): object {
  const { cniVersion, name, disableCheck, type } = standardSchemas;
  return {
    $schema: dialect,
    title: "CNI configuration list",
    type: "object",
    properties: {
      cniVersion,
      name,
      disableCheck,
      disableGC: { type: "boolean", description: "whether runtimes leave out GC" },
      plugins: {
        type: "array",
        description: "called in this order by ADD, and the other way round by DEL",
        items: {
          type: "object",
          properties: { type },
          required: ["type"],
          allOf: Object.keys(plugins).map((plugin) => ({
            if: { type: "object", properties: { type: { const: plugin } } },
            // biome-ignore lint/suspicious/noThenProperty: JSON Schema's word
            then: { $ref: `#/$defs/${plugin}` },
          })),
        },
      },
    },
    required: ["cniVersion", "name", "plugins"],
    $defs: plugins,
  };
}

const dialect = "https://json-schema.org/draft/2020-12/schema";

/** Returns the JSON Schema of a plugin in a list. Throws like {@link jsonSchema}. */
export function pluginSchema(type: string, netconf: FieldSchema<unknown, unknown>, descriptions: Descriptions) {
  const fields = described(netconf, descriptions);
  return {
    type: "object",
    properties: {
      ...standardSchemas,
      type: { ...standardSchemas.type, const: type },
      ...Object.fromEntries(
        fields.map(({ name, field, description }) => [
          name,
          { ...checkable(field), description, ...(field.presence === "defaulted" && { default: field.fallback }) },
        ]),
      ),
    },
    patternProperties: { "^cni\\.dev/": {} },
    required: ["type", ...fields.filter(({ field }) => field.presence === "required").map(({ name }) => name)],
    additionalProperties: false,
  };
}

/**
 * Returns the table of a plugin's own fields and of the log's fields in Markdown: name, type,
 * default, description. Throws like {@link jsonSchema}.
 */
export function fieldTable(netconf: FieldSchema<unknown, unknown>, descriptions: Descriptions): string {
  const rows = described(netconf, descriptions).map(
    ({ name, field, description }) =>
      `| \`${name}\` | ${kindOf(schemaOf(field))} | ${fallbackOf(field)} | ${description} |`,
  );
  return ["| Field | Value | Default | Meaning |", "|---|---|---|---|", ...rows, ""].join("\n");
}

const jsonTypes = { text: "string", "true or false": "boolean", "an object": "object" } as const;

/** The descriptions of the standard fields. */
const common: Descriptions = {
  logLevel: "which calls are logged on standard error, one line each: failures, also successes with a warning, or all",
  logFile: "a file to which the same lines are appended",
};

/** Which standard fields are required, and what an editor may offer for them. */
const standardDetails: Readonly<Record<string, object>> = {
  cniVersion: { enum: versions, description: "the version of the CNI specification that the result is to have" },
  name: { pattern: "^[a-zA-Z0-9][a-zA-Z0-9_.-]*$", description: "the network's name, unique on a node" },
  type: { description: "the executable's name in the runtime's directory of plugins" },
  disableCheck: { description: "whether runtimes leave out CHECK" },
  capabilities: {
    additionalProperties: { type: "boolean" },
    description: "what the runtime is to pass on as `runtimeConfig`, such as `mac`",
  },
  runtimeConfig: { description: "written by runtimes" },
  args: { description: "written by runtimes; `args.cni` is Multus's `cni-args`" },
  prevResult: { description: "written by runtimes: the result of the plugin before" },
  ipam: { properties: { type: { type: "string" } }, description: "the IPAM plugin's configuration" },
  dns: { description: "name servers and search domains to report" },
  deviceID: { description: "written by Multus" },
  pciBusID: { description: "written by Multus" },
};

const standardSchemas = Object.fromEntries(
  Object.entries(standard).map(([name, kind]) => [name, { type: jsonTypes[kind], ...standardDetails[name] }]),
) as Readonly<Record<keyof typeof standard, object>>;

function described(netconf: FieldSchema<unknown, unknown>, own: Descriptions) {
  const fields = netconf.fields();
  const descriptions = { ...own, ...common };
  const stray = Object.keys(descriptions).find((name) => !Object.hasOwn(fields, name));
  if (stray !== undefined) throw new Error(`${stray}: has a description, but is no field`);
  return Object.entries(fields).map(([name, field]) => {
    const description = descriptions[name];
    if (description === undefined) throw new Error(`${name}: has no description`);
    return { name, field, description };
  });
}

type JsonSchema = z.core.JSONSchema.BaseSchema;

function schemaOf(field: Field<unknown>): JsonSchema {
  const { $schema, ...schema } = z.toJSONSchema(field.schema());
  return schema;
}

/**
 * Returns the schema with a pattern in place of each format of ours, because no editor knows these
 * formats.
 */
function checkable(field: Field<unknown>): JsonSchema {
  const { $schema, ...schema } = z.toJSONSchema(field.schema(), {
    override: ({ jsonSchema }) => {
      const pattern = formatOf(jsonSchema.format ?? "")?.pattern;
      if (pattern === undefined) return;
      delete jsonSchema.format;
      jsonSchema.pattern = pattern;
    },
  });
  return schema;
}

function fallbackOf({ presence, fallback }: Field<unknown>): string {
  return presence === "required" ? "required" : presence === "optional" ? "–" : `\`${JSON.stringify(fallback)}\``;
}

/** Such as `68–65535`, `"tap"` or `"managedTap"`, list of up to 3 × `{id}`. */
function kindOf(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map((one) => kindOf(one as JsonSchema)).join(" or ");
  if (schema.enum !== undefined) return schema.enum.map((word) => `\`${JSON.stringify(word)}\``).join(" or ");
  if (schema.type === "integer") return `${schema.minimum}–${schema.maximum}`;
  if (schema.type === "boolean") return "true or false";
  if (schema.prefixItems !== undefined)
    return `\`[${schema.prefixItems.map((one) => kindOf(one as JsonSchema)).join(", ")}]\``;
  if (schema.type === "array")
    return `list of ${schema.maxItems === undefined ? "" : `up to ${schema.maxItems} × `}${kindOf(schema.items as JsonSchema)}`;
  if (schema.type === "object")
    return `\`{${Object.entries(schema.properties ?? {})
      .map(([key, value]) => `${key}${schema.required?.includes(key) ? "" : "?"}: ${kindOf(value as JsonSchema)}`)
      .join(", ")}}\``;
  return schema.format === undefined ? "text" : (formatOf(schema.format)?.words ?? schema.format);
}

const octet = String.raw`(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`;
const ipv4 = String.raw`${octet}(?:\.${octet}){3}`;
const ipv6 = "(?=[^:/]*:)[0-9a-fA-F:.]{2,45}";

/**
 * A format of schemas.ts: its name in the documentation, and a regular expression (ECMA-262, with
 * the u flag) that accepts every valid value.
 */
interface Format {
  readonly words: string;
  readonly pattern: string;
}

function formatOf(name: string): Format | undefined {
  const [kind, path = ""] = name.split(":");
  return formats[kind!] ?? placeFormats[kind!]?.(path);
}

/** The formats of paths. */
const placeFormats: Readonly<Record<string, (path: string) => Format>> = {
  "directory-below": (root) => ({
    words: `\`${root}\` or below`,
    pattern: String.raw`^(?![\s\S]*/\.\.?(?:/|$))(?:/var)?${root}(?:/[^\u0000]*)?$`,
  }),
  "file-in": (directory) => ({
    words: `file in \`${directory}\``,
    pattern: String.raw`^${directory}/[a-zA-Z0-9_][a-zA-Z0-9._\-]{0,99}$`,
  }),
};

const formats: Readonly<Record<string, Format>> = {
  mac: {
    words: "MAC address",
    pattern: "^(?!00([:-]00){5}$)[0-9a-fA-F][02468aceACE](?:(?::[0-9a-fA-F]{2}){5}|(?:-[0-9a-fA-F]{2}){5})$",
  },
  ip: { words: "IP address", pattern: `^(?:${ipv4}|${ipv6})$` },
  cidr: {
    words: "address/prefix length",
    pattern: String.raw`^(?:${ipv4}/(?:\d|[12]\d|3[0-2])|${ipv6}/(?:\d|[1-9]\d|1[01]\d|12[0-8]))$`,
  },
  "link-name": {
    words: "link name",
    pattern: String.raw`^(?!\.\.?$)[^/:\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]{1,15}$`,
  },
  "pci-address": { words: "PCI address", pattern: String.raw`^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$` },
  "vfio-driver": { words: "VFIO driver", pattern: String.raw`^(?:[a-z0-9_\-]*[\-_])?vfio[\-_]pci$` },
};
