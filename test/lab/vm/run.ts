// Runs a command or test files in a new machine, and exits with the command's exit status
// (test/lab/vm/run).
import { cpSync, existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { withScope } from "../../harness/scope.ts";
import { variants } from "./hardware.ts";
import { quoted, startMachine } from "./machine.ts";

type Variant = keyof typeof variants;
const missing = Object.keys(variants) as Variant[];

const usage = `usage: test/lab/vm/run [OPTION]... [--] COMMAND [ARGUMENT]...   one command
       test/lab/vm/run [OPTION]... FILE.test.ts...              test files, one after another

  --timeout SECONDS   for each command, 300 unless told
  --out DIRECTORY     copies there what the commands wrote to $LAB_OUT
  ${missing.map((variant) => `--${variant}`).join("  ")}
                      a machine that lacks that
`;

/** Returns how many words come before the command's first word. */
function ownWords(words: readonly string[]): number {
  let at = 0;
  while (words[at]?.startsWith("--") && words[at] !== "--") at += ["--timeout", "--out"].includes(words[at]!) ? 2 : 1;
  return at;
}

const words = process.argv.slice(2);
const own = ownWords(words);
const command = words.slice(words[own] === "--" ? own + 1 : own);
const { values } = parseArgs({
  args: words.slice(0, own),
  options: {
    timeout: { type: "string", default: "300" },
    out: { type: "string" },
    help: { type: "boolean", default: false },
    ...(Object.fromEntries(missing.map((variant) => [variant, { type: "boolean" }])) as Record<
      Variant,
      { type: "boolean" }
    >),
  },
});
if (values.help || command.length === 0) {
  process.stderr.write(usage);
  process.exit(2);
}

const isTest = (word: string): boolean => word.endsWith(".test.ts") && existsSync(word);
const tests = command.every(isTest);

process.exitCode = await withScope(async (scope) => {
  const say = (message: string): void => console.error(`test/lab/vm/run: ${message}`);
  const without = missing.filter((variant) => values[variant]).map((variant) => variants[variant]);
  const machine = await startMachine({ ...scope, comment: say }, Object.assign({ name: "run" }, ...without));
  const { stdout, stderr } = process;
  const options = { timeout: Number(values.timeout) * 1000, cwd: process.cwd(), env: faults(), stdout, stderr };
  let failed = 0;
  for (const word of tests ? command : [undefined]) {
    const outcome = word
      ? await machine.attemptTest(word, options)
      : await machine.attempt(`exec ${command.map(quoted).join(" ")}`, options);
    if (outcome.status === 0) continue;
    say(`exit status ${outcome.status}; evidence: ${await machine.keepEvidence()}`);
    failed = outcome.status;
  }
  if (values.out !== undefined) cpSync(machine.out, values.out, { recursive: true });
  return failed;
});

/**
 * Returns the variables of this process's environment that select the faults to test
 * (test/harness/faults.ts).
 */
function faults(): Record<string, string> {
  const chooses = (entry: [string, string | undefined]): entry is [string, string] =>
    /^(FAULTS_|TEST_SEED$)/.test(entry[0]);
  return Object.fromEntries(Object.entries(process.env).filter(chooses));
}
