// What editors and the documentation make of a netconf: a JSON Schema, and a table of its fields. Not part of any executable.
import * as z from "zod/mini";
import { type Field, type FieldNetconf, standard } from "./netconf.ts";

/** One sentence for each field, by its name: what it does, not what kind it is of. */
export type Descriptions = Readonly<Record<string, string>>;

/**
 * The JSON Schema (draft 2020-12) of a plugin's configurations, the fields that any plugin may be given included.
 * Throws where a field has no description, or a description no field.
 */
export function jsonSchema(title: string, netconf: FieldNetconf<unknown, unknown>, descriptions: Descriptions): object {
  const fields = described(netconf, descriptions);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title,
    type: "object",
    properties: {
      ...Object.fromEntries(Object.entries(standard).map(([name, kind]) => [name, { type: jsonTypes[kind] }])),
      ...Object.fromEntries(
        fields.map(({ name, field, description }) => [
          name,
          { ...schemaOf(field), description, ...(field.presence === "defaulted" && { default: field.fallback }) },
        ]),
      ),
    },
    patternProperties: { "^cni\\.dev/": {} },
    required: [
      "cniVersion",
      "name",
      "type",
      ...fields.filter(({ field }) => field.presence === "required").map(({ name }) => name),
    ],
    additionalProperties: false,
  };
}

/** The table of a plugin's own fields, in Markdown: name, what it may be, what it is where it is left out, what it does. Throws like {@link jsonSchema}. */
export function fieldTable(netconf: FieldNetconf<unknown, unknown>, descriptions: Descriptions): string {
  const rows = described(netconf, descriptions).map(
    ({ name, field, description }) =>
      `| \`${name}\` | ${kindOf(schemaOf(field))} | ${fallbackOf(field)} | ${description} |`,
  );
  return ["| Field | Value | Default | Meaning |", "|---|---|---|---|", ...rows, ""].join("\n");
}

const jsonTypes = { text: "string", "true or false": "boolean", "an object": "object" } as const;

/** Of the fields that every plugin has. */
const common: Descriptions = {
  logLevel:
    "what is told on standard error, a line for each call: failures, also successes with a warning, or every call",
  logFile: "a file to which the same lines are appended",
};

function described(netconf: FieldNetconf<unknown, unknown>, own: Descriptions) {
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
  return schema.format === undefined ? "text" : (formats[schema.format] ?? schema.format);
}

const formats: Readonly<Record<string, string>> = {
  mac: "MAC address",
  ip: "IP address",
  cidr: "address/prefix length",
  "link-name": "link name",
  "pci-address": "PCI address",
  "absolute-path": "absolute path",
  "vfio-driver": "VFIO driver",
};
