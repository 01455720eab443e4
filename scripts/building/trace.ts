// Leads the places in a plugin's stack traces back to its TypeScript, by the source maps that the
// build left.
import { existsSync, readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { join } from "node:path";

/**
 * A place in a bundle, such as `bridge-binding.js:1:2345`: line and column count from 1, as the
 * engine gives them.
 */
const place = /([\w.-]+\.js):(\d+):(\d+)/g;

/**
 * The log with every place in a bundle as `plugins/bridge-binding/main.ts:12:3`. `maps` is the
 * directory of the source maps; a place that none of
 * them knows stays as it is.
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
