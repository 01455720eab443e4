import { readFile } from "node:fs/promises";
import t from "tap";
import { schemas, tables, withTable } from "../../../scripts/docs.ts";

for (const { readme, table } of tables) {
  t.test(`${readme} has the fields that the schema has (npm run docs writes them)`, async (t) => {
    const text = await readFile(readme, "utf8");
    t.equal(text, withTable(text, table));
  });
}

for (const { file, text } of schemas) {
  t.test(`${file} is what the plugins' fields make (npm run docs writes it)`, async (t) => {
    t.equal(await readFile(file, "utf8"), text);
  });
}
