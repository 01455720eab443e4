// Comes before a test that runs in the machine: at a test's first failed assertion, before its
// teardown takes all away, the machine writes down what it looks like.
import { spawnSync } from "node:child_process";
import type { EventEmitter } from "node:events";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import t, { type Base, TestBase } from "tap";

const script = fileURLToPath(new URL("evidence", import.meta.url));
const file = basename(process.argv[1]!, ".mjs");

/** What tap's "res" events tell, which it does not declare. */
interface Result {
  readonly ok: boolean;
  readonly extra: { readonly skip?: unknown; readonly todo?: unknown };
}

/** Where many tests fail it is for one reason, and each takes the machine seconds. */
const most = 5;
let count = 0;

const witnessed = new Set<TestBase>();

watch(t);

function watch(test: Base): void {
  if (!(test instanceof TestBase)) return;
  test.on("subtestAdd", watch);
  // At once, before the result is written; "assert" comes when the parser has seen the line that
  // follows.
  const emitter: EventEmitter = test;
  emitter.on("res", ({ ok, extra }: Result) => {
    if (!ok && !extra.skip && !extra.todo) testify(test);
  });
}

/** Synchronously, so that this test does nothing meanwhile. */
function testify(test: TestBase): void {
  if (witnessed.has(test) || count === most) return;
  // Its failure is a failure of all around it.
  for (let around: TestBase | undefined = test; around; around = around.parent) witnessed.add(around);
  count += 1;
  const directory = `evidence/${file}-${count}`;
  spawnSync("bash", [script, `/lab/${directory}`], { stdio: "ignore" });
  test.comment(`evidence: ${process.env["LAB_DIRECTORY"]}/${directory}`);
}
