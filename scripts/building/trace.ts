// Translates places in a plugin's stack traces to its TypeScript, with the source maps of the
// build.
import { existsSync, readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { join } from "node:path";

/**
 * A place in a bundle, such as `bridge-binding.js:1:2345`. The engine counts lines and columns from
 * 1.
 */
const place = /([\w.-]+\.js):(\d+):(\d+)/g;

/**
 * Returns the log with every place in a bundle translated, as in
 * `plugins/bridge-binding/main.ts:12:3`.
 *
 * `maps` is the directory of the source maps. A place without an entry in a source map is
 * unchanged.
 */
export function traced(log: string, maps: string): string {
  const read = new Map<string, SourceMap | undefined>();
  return log.replaceAll(place, (original: string, bundle: string, line: string, column: string) => {
    if (!read.has(bundle)) read.set(bundle, sourceMap(join(maps, `${bundle}.map`)));
    const entry = read.get(bundle)?.findEntry(Number(line) - 1, Number(column) - 1);
    return entry && "originalSource" in entry
      ? `${entry.originalSource}:${entry.originalLine + 1}:${entry.originalColumn + 1}`
      : original;
  });
}

function sourceMap(path: string): SourceMap | undefined {
  return existsSync(path) ? new SourceMap(JSON.parse(readFileSync(path, "utf8"))) : undefined;
}
