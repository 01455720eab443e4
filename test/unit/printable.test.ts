// Tests that no text from outside can control a terminal, wherever it is printed.
import t from "tap";
import { plain } from "../../lib/command/paint.ts";
import { lines } from "../../lib/command/report.ts";
import { printable, printableJson } from "../../lib/printable.ts";
import { fc } from "../harness/fast-check.ts";
import { call, environment, netconf, note } from "./cni/machine.ts";

/** One character of each kind that changes what a terminal shows, with its escape. */
const hostile = {
  "\x00": "\\x00",
  "\n": "\\x0a",
  "\x1b": "\\x1b",
  "\x7f": "\\x7f",
  "\u0085": "\\x85",
  "\u009b": "\\x9b",
  "\u00a0": "\\xa0",
  "\u00ad": "\\xad",
  "\u0301": "\\u{301}",
  "\u05d0": "\\u{5d0}",
  "\u061c": "\\u{61c}",
  "\u115f": "\\u{115f}",
  "\u200b": "\\u{200b}",
  "\u200f": "\\u{200f}",
  "\u2028": "\\u{2028}",
  "\u2029": "\\u{2029}",
  "\u202e": "\\u{202e}",
  "\u2066": "\\u{2066}",
  "\u3000": "\\u{3000}",
  "\u3099": "\\u{3099}",
  "\u3164": "\\u{3164}",
  "\ufeff": "\\u{feff}",
  "\ufe0f": "\\u{fe0f}",
  "\u{e0041}": "\\u{e0041}",
  "\u{1f4a9}": "\\u{1f4a9}",
  "\ud800": "\\u{d800}",
  "\udcff": "\\xff",
} as const;
const all = Object.keys(hostile).join("");

/** What a terminal, a bidirectional layout or a log reader would act on. */
const acts = /[\p{C}\p{M}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Script=Hebrew}\p{Script=Arabic}]|[^\P{Z} ]/u;

t.test("printable escapes one character of each kind that controls a terminal", async (t) => {
  for (const [character, escaped] of Object.entries(hostile)) t.equal(printable(`a${character}b`), `a${escaped}b`);
});

t.test("printable keeps printable ASCII and plain letters", async (t) => {
  for (const text of ['eth0: is "odd" ~!\\', "é Ж λ 網 か カ 한", "a… ─╳─ 1–2 ×"]) t.equal(printable(text), text);
});

t.test("nothing that controls a terminal is left in any text, and JSON keeps its value", async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      t.notMatch(printable(text), acts);
      t.notMatch(printableJson({ text }), acts);
      t.same(JSON.parse(printableJson({ text })), { text });
    }),
    { numRuns: 2000 },
  );
  t.notMatch(printable(all), acts);
  t.same(JSON.parse(printableJson([all])), [all]);
});

t.test("a CNI error and the log line of a hostile link name are safe to print", async (t) => {
  const plugin = note({
    add: () => {
      throw new Error(`${all}: is down`);
    },
  });
  const { machine } = call(environment("ADD"), { ...netconf, logLevel: "info" }, { plugin });
  t.notMatch(machine.stdout.trimEnd(), acts);
  t.notMatch(machine.stderr.trimEnd(), acts);
  t.notMatch(machine.document!.msg, acts, "also after the runtime has decoded it");
});

t.test("a result with a hostile value is safe to print, and keeps the value", async (t) => {
  const plugin = note({ add: () => ({ dns: { domain: all } }) });
  const { machine } = call(environment("ADD"), netconf, { plugin });
  t.notMatch(machine.stdout.trimEnd(), acts);
  t.match(machine.document, { dns: { domain: all } });
});

t.test("a report for operators escapes texts, facts and hints", async (t) => {
  const [text, fact, hint] = lines(
    [{ grade: "bad", word: "differs", text: all, findings: [{ fact: all, hint: all }] }],
    plain,
  );
  for (const line of [text, fact, hint]) t.notMatch(line, acts);
});
