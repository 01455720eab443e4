// All inputs that were worth keeping, and a few seconds of new ones, on all that takes bytes of
// others: nothing hangs, and nothing fails but in the way that it is meant to.
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { corpusOf, fuzzed, targets } from "./fuzzing.ts";
import type { Told } from "./worker.ts";

const faulty = (name: string): string => fileURLToPath(new URL(`faulty/${name}.ts`, import.meta.url));

/** Other inputs every day, and the same ones all day. */
const seed = Math.floor(Date.now() / 86_400_000);

function foundNothing(t: Test, { failing }: Told): void {
  if (failing === undefined) t.pass();
  else t.fail(`${JSON.stringify(Buffer.from(failing.input).toString("latin1"))}: ${failing.failure}`);
}

for (const target of targets)
  t.test(`${target}: no input of the corpus, and none that is made of it, does harm`, async (t) => {
    const corpus = corpusOf(target);
    t.not(corpus.length, 0);
    const told = await fuzzed(target, { seed, corpus, milliseconds: 6000 });
    t.comment(`seed ${seed}: ${told.runs} inputs, ${told.features} features, ${told.found.length} of them new`);
    foundNothing(t, told);
    t.ok(told.runs > corpus.length, "others were tried");
  });

t.test("the fuzzer finds a fault behind two decisions by coverage", async (t) => {
  const { failing } = await fuzzed(faulty("nested"), { seed: 1, corpus: [Buffer.alloc(4)], milliseconds: 100_000 });
  t.match(failing, { failure: /^Error: found/ });
  t.equal(Buffer.from(failing!.input.subarray(0, 2)).toString(), "CN");
});

t.test("the fuzzer reports an input that takes too long", async (t) => {
  const { failing } = await fuzzed(faulty("endless"), { corpus: [Buffer.of(1), Buffer.of(7, 7)], inputs: 0 });
  t.match(failing?.failure, /^hangs/);
  t.equal(failing?.input[0], 7);
});
