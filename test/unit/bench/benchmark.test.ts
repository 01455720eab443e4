import t from "tap";
import { page, table } from "../../../bench/report.ts";
import { median, quantile, shuffled } from "../../../bench/statistics.ts";
import { type Row, type Target, verdict } from "../../../bench/targets.ts";
import { fc } from "../../harness/fast-check.ts";

t.test("the median is the middle value in any order", async (t) => {
  t.equal(median([3, 1, 2]), 2);
  t.equal(median([4, 1, 3, 2]), 2.5);
  t.equal(median([10, 9]), 9.5);
  t.throws(() => median([]), RangeError);
});

t.test("the 95th percentile is a value that was measured, with at most 5 % above it", async (t) => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
  t.equal(quantile(hundred, 0.95), 95);
  t.equal(quantile([7], 0.95), 7);
  fc.assert(
    fc.property(fc.array(fc.nat(), { minLength: 1 }), (values) => {
      const found = quantile(values, 0.95);
      return values.includes(found) && values.filter((value) => value > found).length <= values.length * 0.05;
    }),
  );
});

t.test("shuffling keeps all values, and yields every order", async (t) => {
  fc.assert(fc.property(fc.array(fc.nat()), (values) => `${shuffled(values).sort()}` === `${values.toSorted()}`));
  const orders = new Set(Array.from({ length: 500 }, () => shuffled([1, 2, 3]).join("")));
  t.equal(orders.size, 6);
});

const row = (subject: string, verb: string, milliseconds: number, peakKilobytes: number): Row => ({
  subject,
  verb,
  measurements: [{ milliseconds, peakKilobytes, cpuMilliseconds: milliseconds / 2 }],
});
const rows = [
  row("ours", "VERSION", 1, 1000),
  row("go", "VERSION", 2, 4000),
  row("ours", "ADD", 3, 3907),
  row("go", "ADD", 9, 5000),
];
const sizes = [
  { subject: "ours", bytes: 1_500_000 },
  { subject: "go", bytes: 7_500_000 },
];
const results = { rows, sizes };

t.test("the table has a row for each verb of each program, with its ratio to the first one's", async (t) => {
  t.same(table(results, ["go", "ours"], ["VERSION", "ADD", "CHECK"]).split("\n"), [
    "| Work | Program | median ms | ratio | p95 | CPU ms | peak memory KB | size |",
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    "| VERSION | go | 2.00 | 1.00 | 2.00 | 1.00 | 4000 | 7.50 M |",
    "| VERSION | ours | 1.00 | 0.50 | 1.00 | 0.50 | 1000 | 1.50 M |",
    "| ADD | go | 9.00 | 1.00 | 9.00 | 4.50 | 5000 | 7.50 M |",
    "| ADD | ours | 3.00 | 0.33 | 3.00 | 1.50 | 3907 | 1.50 M |",
  ]);
});

const targets: readonly Target[] = [
  { verb: "VERSION", of: "time", share: "1" },
  { verb: "VERSION", of: "time", share: "1/3" },
  { verb: "ADD", of: "time", share: "1/3" },
  { verb: "ADD", of: "CPU time", share: "1/2" },
  { of: "peak memory", share: "1/2" },
  { of: "size", share: "1/5" },
  { of: "peak memory", megabytes: 4 },
  { of: "size", megabytes: 2.5 },
];

t.test("a target is met by its own value, and the measured value is printed", async (t) => {
  t.same(
    targets.map((target) => verdict(target, results, "ours", "go")),
    [
      { line: "target: ours: VERSION time ≤ go's: met (0.50)", met: true, budget: false },
      { line: "target: ours: VERSION time ≤ 1/3 of go's: missed (0.50)", met: false, budget: false },
      { line: "target: ours: ADD time ≤ 1/3 of go's: met (0.33)", met: true, budget: false },
      { line: "target: ours: ADD CPU time ≤ 1/2 of go's: met (0.33)", met: true, budget: false },
      { line: "target: ours: peak memory ≤ 1/2 of go's: missed (0.78)", met: false, budget: false },
      { line: "target: ours: size ≤ 1/5 of go's: met (0.20)", met: true, budget: false },
      { line: "target: ours: peak memory ≤ 4 MB: missed (4.00 MB)", met: false, budget: true },
      { line: "target: ours: size ≤ 2.5 MB: met (1.50 MB)", met: true, budget: true },
    ],
  );
});

t.test("without a peer, no ratio is printed", async (t) => {
  t.same(
    targets.map((target) => verdict(target, results, "ours", undefined)?.budget),
    [...Array.from({ length: 6 }), true, true],
  );
});

t.test("the page of measurements names date, commit, machine and command", async (t) => {
  const text = page(["A table.\n"], { date: "2026-01-02", commit: "0123456789ab", runs: 7, kernel: "6.1.0", cpus: 2 });

  t.match(
    text,
    /^# Measurements\n\n`scripts\/bench --runs 7 --write` wrote this page on 2026-01-02, from commit `0123456789ab`, on Linux 6\.1\.0 with 2 CPUs\.\n/,
  );
  t.ok(text.endsWith("\nA table.\n"));
});
