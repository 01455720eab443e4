// Comments have at most 100 columns. Code has at most 120, which the formatters see to.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** Files whose comments are not rewritten yet, one a line. The list only shrinks. */
const wide = new Set((await readFile(join(root, "test/unit/structure/wide-comments.txt"), "utf8")).split("\n"));

/** How a line that is a comment begins. In TypeScript and Rust, `#` begins something else. */
const beginnings = { slashes: /^\s*(\/\/|\/?\*)/, hash: /^\s*#(?!!)/ } as const;

/** The numbers of the lines that are comments of more than 100 columns. */
function wideComments(file: string, text: string): number[] {
  const comment = /\.(ts|rs)$/.test(file) ? beginnings.slashes : beginnings.hash;
  return text.split("\n").flatMap((line, at) => (line.length > 100 && comment.test(line) ? [at + 1] : []));
}

t.test("comments have at most 100 columns", async (t) => {
  const { stdout } = await execa("git", ["ls-files", "*.ts", "*.rs", "*.py", "*.toml", "scripts/*", "test/**/build"], {
    cwd: root,
  });
  const files = stdout.split("\n");
  t.ok(files.length > 400);
  for (const file of files) {
    const found = wideComments(file, await readFile(join(root, file), "utf8"));
    if (wide.has(file)) t.not(found.length, 0, `${file}: has no wide comment any more; take it off the list`);
    else if (found.length > 0) t.same(found, [], file);
  }
});

t.test("a wide comment is found, a wide line of code is not", async (t) => {
  const words = "word ".repeat(25);

  t.same(wideComments("a.ts", `// ${words}\ncode("${words}");\n  * ${words}\n#x ${words}\n// short`), [1, 3]);
  t.same(wideComments("a.py", `# ${words}\ncode("${words}")\n# short`), [1]);
});
