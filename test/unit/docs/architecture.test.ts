// Every file that ARCHITECTURE.md names exists. The workflow runs every stage of scripts/test.
import { readFileSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { parse } from "yaml";
import { stages } from "../../runner/stages.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

for (const page of ["ARCHITECTURE.md", "CONTRIBUTING.md"])
  t.test(`${page} names files and folders that exist`, async (t) => {
    const text = await readFile(join(root, page), "utf8");
    const paths = [...text.matchAll(/`((?:lib|plugins|host|test|scripts|commands|docs|bench)\/[\w./-]*)`/g)];

    t.ok(paths.length > 3);
    for (const [, path] of paths) t.ok(await stat(join(root, path!)).catch(() => false), path!);
  });

t.test("each journey has ten lines", async (t) => {
  const text = await readFile(join(root, "ARCHITECTURE.md"), "utf8");
  const [, journeys = ""] = text.split("## Three journeys");

  const lengths = journeys
    .split("### ")
    .slice(1)
    .map((part) => part.split("\n## ")[0]!.match(/^\d+\. /gm)!.length);

  t.same(lengths, [10, 10, 10]);
});

t.test("the workflow runs each stage of scripts/test", async (t) => {
  const workflow = readFileSync(join(root, ".github/workflows/ci.yml"), "utf8");
  const { jobs } = parse(workflow) as {
    jobs: Record<string, { strategy?: { matrix: { stages?: string[] } }; steps: { run?: string }[] }>;
  };
  const commands = Object.values(jobs).flatMap(({ steps, strategy }) =>
    steps.flatMap(({ run = "" }) => {
      const [, words] = /scripts\/test (.*)$/.exec(run) ?? [];
      return words === undefined ? [] : (strategy?.matrix.stages ?? [words]);
    }),
  );

  t.same(new Set(commands.flatMap((words) => words.split(" "))), new Set(stages.map(({ name }) => name)));
});
