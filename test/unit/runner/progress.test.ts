import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import t from "tap";
import { Progress } from "../../runner/progress.ts";
import { logDirectory, type Stage, tapFile } from "../../runner/stages.ts";

const stage: Stage = {
  name: `progress-${process.pid}`,
  counts: "tap",
  minutes: 1,
  command: ["true"],
  comments: /start to shell/,
};

t.test("a stage's comments that tell of progress are said, with its time, and nothing else is", async (t) => {
  const file = tapFile(stage.name);
  mkdirSync(logDirectory, { recursive: true });
  writeFileSync(file, "");
  t.teardown(() => rmSync(file));
  const said: string[] = [];
  const progress = new Progress(stage, (line) => said.push(line));
  appendFileSync(file, "# Subtest: start to shell\n    # start to shell: 33");
  await new Promise((resolve) => setTimeout(resolve, 1200));
  appendFileSync(file, "00 ms\n    ok 1 - start to shell\n    # time=3ms\n");
  progress.end();
  t.equal(said.length, 2);
  t.match(said[0], / \.\.\. +\d\.\d s {3}Subtest: start to shell$/);
  t.match(said[1], / \.\.\. +\d\.\d s {3}start to shell: 3300 ms$/);
});

t.test("a stage without progress needs no file", async () => {
  const { comments: _, ...quiet } = stage;
  new Progress(quiet, () => undefined).end();
});
