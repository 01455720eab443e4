// Bundles a plugin's TypeScript into one JavaScript module, with a source map that uses the
// repository's file names.
import { basename, dirname, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** One JavaScript module and its source map, both as text. */
export interface Bundle {
  readonly code: string;
  readonly map: string;
}

/**
 * Bundles a plugin. Prints errors in the TypeScript, and rejects if there are any.
 *
 * `entry` is the absolute path of the plugin's main.ts. `plugins` is the absolute path of the
 * directory that holds all plugins. `__VERSION__` in the code becomes the package's version.
 */
export async function bundle(entry: string, plugins: string, version: string): Promise<Bundle> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: "bundle.js",
    write: false,
    bundle: true,
    format: "esm",
    platform: "neutral",
    target: "es2023",
    mainFields: ["module", "main"],
    external: ["host"],
    // A plugin may be in any directory, but it uses this repository's settings and packages.
    tsconfig: resolve(root, "tsconfig.json"),
    nodePaths: [resolve(root, "node_modules")],
    define: { __VERSION__: JSON.stringify(version) },
    minify: true,
    // The engine counts some of the first line's columns from 0, and all others from 1.
    banner: { js: "\n" },
    legalComments: "none",
    sourcemap: "external",
    sourcesContent: false,
    logLevel: "warning",
  });
  const [map, code] = [".js.map", ".js"].map((end) => outputFiles.find(({ path }) => path.endsWith(end))!.text);
  return { code: code!, map: withSourcesOf(map!, plugins) };
}

/**
 * Replaces the map's sources by `plugins/<name>/main.ts`, `lib/...` or `node_modules/...`.
 *
 * The new names do not depend on the location of the files on this machine.
 */
function withSourcesOf(text: string, plugins: string): string {
  const map: { sources: string[] } = JSON.parse(text);
  const sources = map.sources.map((source) => {
    const path = resolve(root, source);
    const [, inPackage] = path.split(`${sep}node_modules${sep}`);
    if (inPackage !== undefined) return `node_modules/${inPackage}`;
    return path.startsWith(plugins + sep)
      ? `${basename(plugins)}/${relative(plugins, path)}`
      : relative(path.startsWith(root) ? root : dirname(plugins), path);
  });
  return `${JSON.stringify({ ...map, sources })}\n`;
}
