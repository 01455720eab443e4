import { readFile } from "node:fs/promises";
import t from "tap";
import { tables, withTable } from "../../../scripts/docs.ts";

for (const { readme, table } of tables) {
  t.test(`${readme} has the fields that the schema has (npm run docs writes them)`, async (t) => {
    const text = await readFile(readme, "utf8");
    t.equal(text, withTable(text, table));
  });
}
