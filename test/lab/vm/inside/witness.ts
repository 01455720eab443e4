// Records the machine's state at a test's first failed assertion, before the test's teardown.
//
// It is bundled in front of every test that runs in the machine.
import { spawnSync } from "node:child_process";
import type { EventEmitter } from "node:events";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import t, { type Base, TestBase } from "tap";

const script = fileURLToPath(new URL("evidence", import.meta.url));
const file = basename(process.argv[1]!, ".mjs");

/** The argument of tap's "res" events, which tap's types do not declare. */
interface Result {
  readonly ok: boolean;
  readonly extra: { readonly skip?: unknown; readonly todo?: unknown };
}

/**
 * The maximum number of records per file. If many tests fail, they usually fail for the same
 * reason, and each record takes seconds.
 */
const most = 5;
let count = 0;

const witnessed = new Set<TestBase>();

watch(t);

function watch(test: Base): void {
  if (!(test instanceof TestBase)) return;
  test.on("subtestAdd", watch);
  // "res" is emitted before the result is written. "assert" would come later, when the parser has
  // read the next line.
  const emitter: EventEmitter = test;
  emitter.on("res", ({ ok, extra }: Result) => {
    if (!ok && !extra.skip && !extra.todo) testify(test);
  });
}

/** Runs synchronously, so that the test does not continue during the record. */
function testify(test: TestBase): void {
  if (witnessed.has(test) || count === most) return;
  // A failure of a test also makes all its parents fail.
  for (let around: TestBase | undefined = test; around; around = around.parent) witnessed.add(around);
  count += 1;
  const directory = `evidence/${file}-${count}`;
  spawnSync("bash", [script, `/lab/${directory}`], { stdio: "ignore" });
  test.comment(`evidence: ${process.env["LAB_DIRECTORY"]}/${directory}`);
}
