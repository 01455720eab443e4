import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { bundle } from "../../../scripts/building/bundle.ts";
import { traced } from "../../../scripts/building/trace.ts";

const main = `import * as z from "zod/mini";
import { refuse } from "./refuse.ts";

z.string().parse("text");
refuse("links");
`;

const refuse = `/** Refuses. */
export function refuse(what: string): never {
  if (what.length > 3)
    throw new TypeError(\`\${what}: refused\`);
  throw new Error(__VERSION__);
}

declare const __VERSION__: string;
`;

/** A plugin in a directory of its own, bundled. */
async function bundled(t: Test, folder: string) {
  const directory = await mkdtemp(join(tmpdir(), "trace-"));
  t.teardown(() => rm(directory, { recursive: true }));
  const plugins = join(directory, folder);
  await mkdir(join(plugins, "refuser"), { recursive: true });
  await writeFile(join(plugins, "refuser/main.ts"), main);
  await writeFile(join(plugins, "refuser/refuse.ts"), refuse);
  const result = await bundle(join(plugins, "refuser/main.ts"), plugins, "1.2.3");
  await writeFile(join(directory, "refuser.js.map"), result.map);
  return { ...result, maps: directory };
}

/** Where in the bundle the text is, as the engine would say. */
function place(code: string, text: string): string {
  const before = code.slice(0, code.indexOf(text)).split("\n");
  return `refuser.js:${before.length}:${before.at(-1)!.length + 1}`;
}

t.test("trace maps a place in a bundle to a line and column in TypeScript", async (t) => {
  const { code, maps } = await bundled(t, "samples");
  t.match(code, /new TypeError\(/);
  t.equal(traced(`at a (${place(code, "new TypeError")})`, maps), "at a (samples/refuser/refuse.ts:4:11)");
  t.match(traced(place(code, '("links")'), maps), /^samples\/refuser\/main\.ts:5:\d+$/);
});

t.test("trace maps every place in a log, and changes nothing else", async (t) => {
  const { code, maps } = await bundled(t, "samples");
  const where = place(code, "new TypeError");
  const log = `refuser: TypeError: links: refused\n    at a (${where})\n    at b (${where})\ncaused by Error: 12:30:45\n`;
  const found = "samples/refuser/refuse.ts:4:11";
  t.equal(traced(log, maps), log.replaceAll(where, found));
});

t.test("trace keeps a place that no source map knows", async (t) => {
  const { maps } = await bundled(t, "samples");
  t.equal(traced("at a (stranger.js:1:2) refuser.js:999", maps), "at a (stranger.js:1:2) refuser.js:999");
});

t.test("a bundle is the same from any directory, and names no place on this machine", async (t) => {
  const [first, second] = [await bundled(t, "samples"), await bundled(t, "samples")];
  t.equal(first.code, second.code);
  t.equal(first.map, second.map);
  const { sources } = JSON.parse(first.map);
  t.ok(sources.includes("samples/refuser/main.ts"));
  t.ok(sources.some((source: string) => source.startsWith("node_modules/zod/")));
  t.notOk(sources.some((source: string) => source.startsWith(".") || source.startsWith("/")));
});

t.test("a bundle has the version, no comments, and imports nothing but the host", async (t) => {
  const { code } = await bundled(t, "samples");
  t.match(code, '"1.2.3"');
  t.notMatch(code, /\/\*|Refuses/);
  t.notMatch(code, /\bimport\b/);
});
