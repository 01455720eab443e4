import { readFile } from "node:fs/promises";
import t from "tap";
import { lasting, rerun } from "./documented.ts";

t.test("docs/commands.md shows what its commands print", async (t) => {
  const page = await readFile(new URL("../../../../docs/commands.md", import.meta.url), "utf8");
  t.equal(lasting(page), lasting(await rerun(t, page)));
});
