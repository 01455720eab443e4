import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { anchors, localLinks } from "./links.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const others = new Set(["node_modules", ".git", ".cache", ".tap", "dist", "target"]);

async function markdownBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const found = await Promise.all(
    entries.map(async (entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return others.has(entry.name) ? [] : markdownBelow(path);
      return entry.name.endsWith(".md") ? [path] : [];
    }),
  );
  return found.flat().sort();
}

const files = await markdownBelow(root);
t.ok(files.length >= 10, `${files.length} Markdown files`);

for (const file of files) {
  t.test(`every link in ${relative(root, file)} leads somewhere`, async (t) => {
    const text = await readFile(file, "utf8");
    const broken: string[] = [];
    for (const { target, line } of localLinks(text)) {
      const [path = "", anchor] = target.split("#");
      const to = path === "" ? file : join(dirname(file), decodeURIComponent(path));
      const found = await stat(to).catch(() => undefined);
      if (found === undefined || relative(root, to).startsWith(".."))
        broken.push(`line ${line}: ${target}: is not there`);
      else if (anchor !== undefined && !(to.endsWith(".md") && anchors(await readFile(to, "utf8")).has(anchor)))
        broken.push(`line ${line}: ${target}: has no such heading`);
    }
    t.same(broken, []);
  });
}

t.test("links are found in text, and not in code or to other hosts", async (t) => {
  const text = [
    'see [a](a.md), [b](../b.md#c-d "title") and [web](https://example.com/x.md)',
    "`[c](c.md)` ![picture](p.png)",
    "```",
    "[d](d.md)",
    "```",
    "[ref]: e.md",
  ].join("\n");
  t.same(localLinks(text), [
    { target: "a.md", line: 1 },
    { target: "../b.md#c-d", line: 1 },
    { target: "p.png", line: 2 },
    { target: "e.md", line: 6 },
  ]);
});

t.test("anchors are those that GitHub derives from headings", async (t) => {
  const text = "# DEL, CHECK, GC, STATUS\n## `a`: b & c\n## Same\n### Same\n```\n# not one\n```\n## [Link](x.md) é\n";
  t.same([...anchors(text)], ["del-check-gc-status", "a-b--c", "same", "same-1", "link-é"]);
});
