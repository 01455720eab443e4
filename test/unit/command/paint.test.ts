// When there are colours, and what text is safe to print.
import t from "tap";
import { coloured, paintFor, plain, printable } from "../../../lib/command/paint.ts";

const paint = (shown: boolean, env: Record<string, string> = {}) =>
  paintFor({ env: () => env, isTerminal: (fd: number) => shown && fd === 1 } as never);

t.test("there are colours on a terminal, unless it has none or nobody wants them", async (t) => {
  t.equal(paint(true), coloured);
  t.equal(paint(true, { NO_COLOR: "", TERM: "linux" }), coloured, "an empty NO_COLOR is none");
  t.equal(paint(false), plain);
  t.equal(paint(true, { NO_COLOR: "1" }), plain);
  t.equal(paint(true, { TERM: "dumb" }), plain);
});

t.test("each colour ends itself, and plain text is as it was", async (t) => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
  for (const one of Object.values(coloured)) t.match(one("x"), /^\x1b\[\d+mx\x1b\[\d+m$/);
  for (const one of Object.values(plain)) t.equal(one("x"), "x");
});

t.test("control characters are made visible, line feeds and letters of all kinds stay", async (t) => {
  t.equal(printable("a\x1b[31mb\nc\x07\x9b\td é 網"), "a\\x1b[31mb\nc\\x07\\x9b\\x09d é 網");
});
