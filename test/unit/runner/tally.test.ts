import t from "tap";
import {
  cargoTally,
  closingLine,
  failedFiles,
  flaky,
  forbidden,
  judged,
  nothing,
  sum,
  tapFailures,
  tapTally,
  unknownFlakes,
} from "../../runner/tally.ts";

const tap = `TAP version 14
1..4
# Subtest: test/unit/a.test.ts
    # Subtest: it works
        ok 1 - should be equal
        ok 2 - should be equal
        1..2
    ok 1 - it works # time=9.886ms

    ok 2 - needs a VLAN # SKIP the kernel has no vlan
    # Subtest: table
        # Subtest: first row
            ok 1 - should be equal
            1..1
        ok 1 - first row # time=8ms

        # Subtest: second row
            not ok 1 - should be equal
              ---
              diff: |
                ok 9 - this is no test
              ...

            1..1
        not ok 2 - second row # time=8ms
          ---
          at: here
          ...

        1..2
    not ok 3 - table # time=13ms

    1..3
not ok 1 - test/unit/a.test.ts # time=49ms

# Subtest: test/unit/b.test.ts
    ok 1 - plain
    not ok 2 - later # TODO some day
    # Subtest: half of it
        ok 1 - should be equal
        ok 2 - the other half # SKIP no tap
        1..2
    ok 3 - half of it # time=1ms

    1..3
ok 2 - test/unit/b.test.ts # time=4ms

# Subtest: test/unit/crash.test.ts
    # Subtest: fine
        ok 1 - should be equal
        1..1
    ok 1 - fine # time=1ms

    1..1
not ok 3 - test/unit/crash.test.ts # time=4ms
  ---
  exitCode: 1
  ...

# Subtest: test/unit/empty.test.ts
    1..0 # no tests found
not ok 4 - test/unit/empty.test.ts # time=4ms
`;

t.test("TAP's innermost subtests are counted, whatever their number of assertions", async (t) => {
  t.same(tapTally(tap), {
    passed: 4,
    failed: ["test/unit/a.test.ts > table > second row", "test/unit/crash.test.ts", "test/unit/empty.test.ts"],
    skipped: [
      { name: "test/unit/a.test.ts > needs a VLAN", reason: "the kernel has no vlan" },
      { name: "test/unit/b.test.ts > later", reason: "to do: some day" },
      { name: "test/unit/b.test.ts > half of it", reason: "no tap" },
    ],
  });
  t.same(tapTally(""), nothing);
});

t.test("failed files are listed, and can be left out of the second run", async (t) => {
  const tally = tapTally(tap);
  t.same(failedFiles(tally), ["test/unit/a.test.ts", "test/unit/crash.test.ts", "test/unit/empty.test.ts"]);
  const others = tapTally(tap, failedFiles(tally));
  t.same([others.passed, others.failed.length], [1, 0]);
  t.equal(
    failedFiles(judged("vm", nothing, false)),
    undefined,
    "where the stage itself failed, there is nothing to run again",
  );
});

t.test("TAP that ends in the middle is a failure", async (t) => {
  const { failed } = judged("unit", tapTally(tap.slice(0, tap.indexOf("    ok 2 - needs"))), false);
  t.not(failed.length, 0);
});

t.test("TAP's failures are shown with what it says about them, and nothing else is", async (t) => {
  const lines = tapFailures(tap).split("\n");
  t.same(
    lines.filter((line) => /not ok/.test(line)).map((line) => line.trim().replace(/ # time.*/, "")),
    [
      "not ok 1 - should be equal",
      "not ok 2 - second row",
      "not ok 3 - table",
      "not ok 1 - test/unit/a.test.ts",
      "not ok 3 - test/unit/crash.test.ts",
      "not ok 4 - test/unit/empty.test.ts",
    ],
  );
  t.ok(lines.includes("                ok 9 - this is no test"));
  t.notOk(lines.some((line) => line.includes("it works")));
});

t.test("the place of a failure's evidence is printed before the failure", async (t) => {
  const comments = "    # start to shell: 3300 ms\n    # evidence: /runs/1\n    not ok 1 - it works\n";
  t.equal(tapFailures(comments), "    # evidence: /runs/1\n    not ok 1 - it works");
});

const cargo = `
running 3 tests
test calls::a ... ok
test calls::b - should panic ... ok
test calls::c ... ignored, needs a tap

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s

running 2 tests
test d ... FAILED
test e ... something it said
ok

failures:

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
`;

t.test("cargo's tests are counted over all of its binaries, those that talk in between too", async (t) => {
  t.same(cargoTally(cargo), {
    passed: 3,
    failed: ["host: d"],
    skipped: [{ name: "host: calls::c", reason: "needs a tap" }],
  });
});

t.test("a failure that no test accounts for counts as one", async (t) => {
  t.same(judged("cargo test", nothing, false).failed, ["cargo test"]);
  t.same(judged("cargo test", cargoTally(cargo), false).failed, ["host: d"]);
  t.same(judged("cargo test", { ...nothing, passed: 3 }, false).failed, ["cargo test"]);
});

t.test("a run without a single test is a failure", async (t) => {
  t.same(judged("unit", nothing, true).failed, ["unit"]);
  t.same(judged("unit", { ...nothing, passed: 1 }, true).failed, []);
});

t.test("a skip is forbidden unless the list has its full name", async (t) => {
  const skipped = ["a.test.ts > x", "a.test.ts > x > y"].map((name) => ({ name, reason: "no dummy" }));
  t.same(forbidden(skipped, "# why\n\na.test.ts > x # kernels without it\n"), [skipped[1]]);
  t.same(forbidden(skipped, ""), skipped);
});

t.test("a * in the list stands for any text, and nothing else is special", async (t) => {
  const skipped = ["a.test.ts > x (y)", "a.test.ts > x", "b.test.ts > x (y)"].map((name) => ({ name, reason: "-" }));
  t.same(forbidden(skipped, "a*> x (y) # why"), skipped.slice(1));
});

t.test("a test that fails in the first run only is flaky, and must be listed", async (t) => {
  const first = { ...nothing, failed: ["a > x", "a > y", "b > z"] };
  const second = { ...nothing, passed: 2, failed: ["b > z"] };
  t.same(flaky(first, second), ["a > x", "a > y"]);
  t.same(unknownFlakes(["a > x", "a > y"], "# why\na > y # the network outside\n"), ["a > x"]);
});

t.test("a skip in the lab's machines is forbidden, whatever the list says", async (t) => {
  const skipped = [{ name: "test/lab/vm/netns.test.ts > x", reason: "no dummy" }];
  t.same(forbidden(skipped, "test/lab/vm/netns.test.ts > x # kernels without it"), skipped);
});

t.test("the closing line counts what passed, failed and was skipped", async (t) => {
  const some = { passed: 2, failed: ["a"], skipped: [{ name: "b", reason: "c" }] };
  t.equal(closingLine(sum([some, some])), "4 passed, 2 failed, 2 skipped");
  t.equal(closingLine({ ...nothing, passed: 7 }), "7 passed, 0 failed");
});
