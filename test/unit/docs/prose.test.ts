import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";
import { breachesOf } from "./prose.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** Pages that are not rewritten yet. The list only shrinks. */
const unconverted = new Set<string>();

const listed = await execa("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"], { cwd: root });
const pages = listed.stdout.split("\n");
t.ok(pages.length >= 20, `${pages.length} pages`);

for (const page of pages)
  t.test(`${page} has one sentence per line, and no paragraph in a table`, async (t) => {
    const breaches = breachesOf(await readFile(join(root, page), "utf8"));

    if (unconverted.has(page)) t.not(breaches.length, 0, "has the form now: take it off the list");
    else t.same(breaches, []);
  });

t.test("two sentences on a line are found, code and abbreviated names are not", async (t) => {
  t.match(breachesOf("One. Two."), [{ line: 1, what: "two sentences" }]);
  t.match(breachesOf("- One (see `x`). Two is next."), [{ line: 1 }]);
  t.same(breachesOf("One `a. B` two."), []);
  t.same(breachesOf("```\nOne. Two.\n```"), []);
  t.match(breachesOf(`| ${"x".repeat(201)} | y |`), [{ what: /cell/ }]);
});
