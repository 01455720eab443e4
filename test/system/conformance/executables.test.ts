// Checks that each executable has a subject, and each subject a test.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import t from "tap";
import { dist } from "../../harness/plugin.ts";
import { examples, plugins } from "./subjects.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

const entries = (directory: string, kind: "isFile" | "isDirectory"): string[] =>
  readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry[kind]())
    .map(({ name }) => name)
    .sort();

t.test("each plugin in dist has a subject, and each subject an executable", async (t) => {
  const commands = entries(`${root}/commands`, "isDirectory");
  t.same([...Object.keys(plugins), ...commands].sort(), entries(dist, "isFile"));
  t.same(Object.keys(plugins).sort(), entries(`${root}/plugins`, "isDirectory"), "of a plugin");
  t.same(Object.keys(examples).sort(), entries(`${root}/examples`, "isDirectory"), "and the examples too");
});

t.test("each subject has a test file", async (t) => {
  const tests = entries(`${root}/test/system/conformance`, "isFile").filter((name) => name.endsWith(".test.ts"));
  for (const name of Object.keys({ ...plugins, ...examples })) t.ok(tests.includes(`${name}.test.ts`), name);
});
