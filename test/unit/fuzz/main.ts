// Fuzzes by hand, for longer than the tests do: node --import tsx test/unit/fuzz/main.ts SECONDS
// DIRECTORY [TARGET...]. What reaches something new goes to DIRECTORY/TARGET.
import { join } from "node:path";
import { corpusOf, fuzzed, keep, targets } from "./fuzzing.ts";

async function main([seconds = "60", directory = ".cache/fuzz", ...wanted]: readonly string[]): Promise<void> {
  for (const target of wanted.length > 0 ? wanted : targets) {
    const seed = Date.now() % 2 ** 31;
    const told = await fuzzed(target, { seed, milliseconds: Number(seconds) * 1000, corpus: corpusOf(target) });
    keep(told.found, join(directory, target));
    process.stdout.write(
      `${target}: seed ${seed}, ${told.runs} inputs, ${told.features} features, ${told.found.length} new\n`,
    );
    if (told.failing === undefined) continue;
    keep([told.failing.input], join(directory, `${target}-failing`));
    process.stdout.write(
      `${JSON.stringify(Buffer.from(told.failing.input).toString("latin1"))}\n${told.failing.failure}\n`,
    );
    process.exitCode = 1;
  }
}

main(process.argv.slice(2));
