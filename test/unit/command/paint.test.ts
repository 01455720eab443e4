// When there are colours.
import t from "tap";
import { coloured, paintFor, plain } from "../../../lib/command/paint.ts";

const paint = (shown: boolean, env: Record<string, string> = {}) =>
  paintFor({ env: () => env, isTerminal: (fd: number) => shown && fd === 1 } as never);

t.test("text is coloured on a terminal that has colours, unless NO_COLOR is set", async (t) => {
  t.equal(paint(true), coloured);
  t.equal(paint(true, { NO_COLOR: "", TERM: "linux" }), coloured, "an empty NO_COLOR is none");
  t.equal(paint(false), plain);
  t.equal(paint(true, { NO_COLOR: "1" }), plain);
  t.equal(paint(true, { TERM: "dumb" }), plain);
});

t.test("each colour is reset, and plain text is unchanged", async (t) => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
  for (const one of Object.values(coloured)) t.match(one("x"), /^\x1b\[\d+mx\x1b\[\d+m$/);
  for (const one of Object.values(plain)) t.equal(one("x"), "x");
});
