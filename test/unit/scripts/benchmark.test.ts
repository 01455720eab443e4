import fc from "fast-check";
import t from "tap";
import { type Row, table, verdicts } from "../../../scripts/benchmark/report.ts";
import { median, quantile, shuffled } from "../../../scripts/benchmark/statistics.ts";

t.test("the median is in the middle, whatever the order", async (t) => {
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

t.test("shuffling keeps all values, and gives every order its turn", async (t) => {
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
const sizes = [{ subject: "ours", bytes: 1_500_000 }];

t.test("the table has a row for each verb of each program", async (t) => {
  t.same(table(rows, sizes, "go").split("\n").slice(0, 3), [
    "| Work | Program | median ms | ratio | p95 | CPU ms | peak memory KB | size |",
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    "| VERSION | ours | 1.00 | 0.50 | 1.00 | 0.50 | 1000 | 1.50 M |",
  ]);
  t.equal(table(rows, sizes, "go").split("\n").length, 2 + rows.length);
});

t.test("a target is met up to its very value, and its ratio is shown", async (t) => {
  t.same(
    verdicts(rows, sizes, "ours", "go").map(({ line }) => line),
    [
      "target: ours: VERSION no slower than go's: met (0.50)",
      "target: ours: ADD ≤ 1/3 of go: met (0.33)",
      "target: ours: peak memory ≤ 4 MB: missed (4.00 MB)",
      "target: ours: size ≤ 2.5 MB: met (1.50 MB)",
    ],
  );
  t.same(
    verdicts(rows, sizes, "ours", "go").map(({ met, budget }) => [met, budget]),
    [
      [true, false],
      [true, false],
      [false, true],
      [true, true],
    ],
  );
});
