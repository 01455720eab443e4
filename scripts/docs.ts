// Writes the tables of fields into the plugins' READMEs, between `<!-- fields -->` and `<!-- /fields -->`.
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { fieldTable } from "../lib/cni/netconf-schema.ts";
import * as bridge from "../plugins/bridge-binding/descriptions.ts";
import * as bridgeBinding from "../plugins/bridge-binding/netconf.ts";
import * as passt from "../plugins/passt-binding/descriptions.ts";
import * as passtBinding from "../plugins/passt-binding/netconf.ts";
import * as sriov from "../plugins/sriov-vfio/descriptions.ts";
import * as sriovVfio from "../plugins/sriov-vfio/netconf.ts";

/** The README of each plugin with its table as it ought to be. */
export const tables = [
  { readme: "plugins/bridge-binding/README.md", table: fieldTable(bridgeBinding.netconf, bridge.descriptions) },
  { readme: "plugins/passt-binding/README.md", table: fieldTable(passtBinding.netconf, passt.descriptions) },
  { readme: "plugins/sriov-vfio/README.md", table: fieldTable(sriovVfio.netconf, sriov.descriptions) },
];

const marked = /(<!-- fields -->\n)[\s\S]*?(<!-- \/fields -->)/;

/** The README's text with the table in its place. */
export function withTable(text: string, table: string): string {
  if (!marked.test(text)) throw new Error("has no <!-- fields --> and <!-- /fields -->");
  return text.replace(marked, (_, before, after) => `${before}${table}${after}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { readme, table } of tables) await writeFile(readme, withTable(await readFile(readme, "utf8"), table));
}
