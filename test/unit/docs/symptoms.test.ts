// docs/symptoms.md quotes messages and findings that exist.
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const page = await readFile(join(root, "docs/symptoms.md"), "utf8");

/** The text below a heading, up to the next one. */
const section = (heading: string): string => page.split(`## ${heading}\n`)[1]!.split("\n## ")[0]!;

/** What a text has in backticks. */
const quoted = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, words]) => words!);

t.test("each quoted message of a plugin is in the code", async (t) => {
  const { stdout } = await execa("git", ["ls-files", "lib/*.ts", "plugins/*.ts"], { cwd: root });
  const code = stdout.split("\n").map((file) => readFileSync(join(root, file), "utf8"));
  const rows = section("The pod does not start").split("\n").slice(5);
  const messages = rows.filter((row) => row.startsWith("| `")).flatMap((row) => quoted(row.split("|")[1]!));
  // Multus' words.
  const ours = messages.filter((message) => message !== "failed to find plugin");

  t.ok(ours.length > 5);
  // A message may begin with what the code inserts: `/dev/net/tun: is missing`.
  for (const message of ours)
    t.ok(
      code.some((text) => text.includes(message.split(": ").at(-1)!)),
      message,
    );
});

t.test("each finding is one of diagnose", async (t) => {
  const table = (await readFile(join(root, "docs/diagnose.md"), "utf8")).match(/^\| `[a-z0-9-]+` \|/gm)!.join("");
  const findings = quoted(section("The VM has an address and no connection")).filter((word) =>
    /^\w+(-\w+)+$/.test(word),
  );

  t.ok(findings.length > 10);
  for (const finding of findings) t.ok(table.includes(`\`${finding}\``), finding);
});
