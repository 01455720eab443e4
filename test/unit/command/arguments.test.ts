// How a verb's arguments are read, and what is said of those that make no sense.
import t from "tap";
import { json, type Option, read, UsageError } from "../../../lib/command/arguments.ts";

const options: readonly Option[] = [json, { name: "data-dir", value: "DIR", about: "where records are" }];

t.test("flags, values in both spellings and operands are parsed in any order", async (t) => {
  for (const args of [
    ["--json", "--data-dir", "/run/a", "blue"],
    ["blue", "--data-dir=/run/a", "--json"],
    ["--data-dir=/run/a", "--json", "--", "blue"],
  ]) {
    const { flags, values, operands } = read(args, options, 1);
    t.same([[...flags], { ...values }, operands], [["json"], { "data-dir": "/run/a" }, ["blue"]]);
  }
});

t.test("everything after -- is an operand, and so is a single -", async (t) => {
  t.same(read(["--", "--json", "-x", "--"], options, 3).operands, ["--json", "-x", "--"]);
  t.same(read(["-"], options, 1).operands, ["-"]);
  t.equal(read(["--data-dir", "-"], options).values["data-dir"], "-");
});

t.test("an attached value may look like an option or contain an equals sign", async (t) => {
  t.equal(read(["--data-dir=--json"], options).values["data-dir"], "--json");
  t.equal(read(["--data-dir=a=b"], options).values["data-dir"], "a=b");
});

for (const [args, words] of [
  [["--jsno"], "--jsno: unknown option of this command; did you mean --json?"],
  [["--JSON"], "--JSON: unknown option of this command; did you mean --json?"],
  [["--datadir", "x"], "--datadir: unknown option of this command; did you mean --data-dir?"],
  [["--hepl"], "--hepl: unknown option of this command; did you mean --help?"],
  [["-v"], "-v: unknown option of this command"],
  [["--frobnicate=1"], "--frobnicate: unknown option of this command"],
  [["--json=yes"], "--json: takes no value, got yes"],
  [["--json="], '--json: takes no value, got ""'],
  [["--data-dir"], "--data-dir: needs a value, DIR"],
  [["--data-dir="], "--data-dir: needs a value, DIR"],
  [["--data-dir", "--json"], "--data-dir: needs a value, DIR"],
  [["--data-dir", "a", "--data-dir=b"], "--data-dir: is given more than once"],
  [["one", "two"], "unexpected argument: two"],
  [["one", "two words"], 'unexpected argument: "two words"'],
  [["one", "--", "--json"], "unexpected argument: --json"],
  [["--__proto__", "x"], "--__proto__: unknown option of this command"],
] as const)
  t.test(`${args.join(" ")} is refused: ${words}`, async (t) => {
    t.throws(() => read(args, options, 1), new UsageError(words));
  });
