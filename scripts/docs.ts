// Writes the files that are generated from the plugins' schemas.
//
// - the tables of fields in the plugins' READMEs, between `<!-- fields -->` and `<!-- /fields -->`
// - the JSON Schemas for editors
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { fieldTable, jsonSchema, listSchema, pluginSchema } from "../lib/cni/netconf-schema.ts";
import * as bridge from "../plugins/bridge-binding/descriptions.ts";
import * as bridgeBinding from "../plugins/bridge-binding/netconf.ts";
import * as passt from "../plugins/passt-binding/descriptions.ts";
import * as passtBinding from "../plugins/passt-binding/netconf.ts";
import * as sriov from "../plugins/sriov-vfio/descriptions.ts";
import * as sriovVfio from "../plugins/sriov-vfio/netconf.ts";

/** Each plugin: the executable's name, its schema, and the descriptions of its fields. */
export const plugins = [
  ["bridge-binding", bridgeBinding.schema, bridge.descriptions],
  ["passt-binding", passtBinding.schema, passt.descriptions],
  ["sriov-vfio", sriovVfio.schema, sriov.descriptions],
] as const;

/** The README of each plugin with its expected table. */
export const tables = plugins.map(([name, netconf, descriptions]) => ({
  readme: `plugins/${name}/README.md`,
  table: fieldTable(netconf, descriptions),
}));

/** The expected JSON Schemas: one for each plugin, and one for lists. */
export const schemas = [
  ...plugins.map(([name, netconf, descriptions]) => ({ name, schema: jsonSchema(name, netconf, descriptions) })),
  {
    name: "conflist",
    schema: listSchema(
      Object.fromEntries(
        plugins.map(([name, netconf, descriptions]) => [name, pluginSchema(name, netconf, descriptions)]),
      ),
    ),
  },
].map(({ name, schema }) => ({
  file: `netconf-examples/schemas/${name}.json`,
  text: `${JSON.stringify(schema, undefined, 2)}\n`,
}));

const marked = /(<!-- fields -->\n)[\s\S]*?(<!-- \/fields -->)/;

/**
 * Returns the README's text with `table` between the markers.
 *
 * @throws if the text has no markers
 */
export function withTable(text: string, table: string): string {
  if (!marked.test(text)) throw new Error("has no <!-- fields --> and <!-- /fields -->");
  return text.replace(marked, (_, before, after) => `${before}${table}${after}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { readme, table } of tables) await writeFile(readme, withTable(await readFile(readme, "utf8"), table));
  for (const { file, text } of schemas) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
}
