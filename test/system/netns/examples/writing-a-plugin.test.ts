// Builds the plugin of docs/writing-a-plugin.md from the page's code, and runs the page's commands.
import { mkdir, mkdtemp, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";
import { newDataDir } from "../../../harness/attachment.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const page = await readFile(join(root, "docs/writing-a-plugin.md"), "utf8");

/** Returns the page's code blocks of a language, each with the last line before it. */
function blocks(language: string): { before: string; text: string }[] {
  return [...page.matchAll(/(?:^|\n)([^\n]*)\n\n```(\w+)\n([\s\S]*?)\n```/g)]
    .filter(([, , is]) => is === language)
    .map(([, before, , text]) => ({ before: before!, text: text! }));
}

t.test("the page's plugin builds, changes a pod, reports a difference and restores the pod", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "writing-a-plugin-"));
  t.teardown(() => rm(directory, { recursive: true }));
  const files = blocks("ts").map(({ before, text }) => ({ path: before.slice(1, -2), text }));
  t.same(
    files.map(({ path }) => path),
    ["netconf", "plugin", "main"].map((name) => `plugins/no-echo/${name}.ts`),
  );
  for (const { path, text } of files) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), text.replaceAll('"../../lib/', `"${root}lib/`));
  }
  const dist = join(directory, "dist");
  await execa(join(root, "scripts/build"), ["--plugins", join(directory, "plugins"), "--out", dist]);

  // The test uses its own journal and namespace in place of the page's.
  const namespace = `writing-${process.pid}`;
  t.teardown(() => execa("ip", ["netns", "del", namespace], { reject: false }));
  t.teardown(() => rmdir("/run/no-echo"));
  const dataDir = await newDataDir(t, "no-echo");
  const script = blocks("sh")[0]!
    .text.replaceAll("trial", namespace)
    .replaceAll("dist", dist)
    .replaceAll('"type": "no-echo"', `"type": "no-echo", "dataDir": "${dataDir}"`);
  const { stdout } = await execa("bash", ["-euc", script]);
  const json = blocks("json").map(({ text }) => text);
  t.same(stdout.split("\n"), ["0", '{"cniVersion":"1.1.0"}', "1", json[0], "0", json[1]]);
});
