// Bundles a TypeScript test into one JavaScript file. Under emulation this saves 10 s, in which
// Node.js would read and compile tap's 1500 files and tsx.
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";

/**
 * Bundles modules with all their imports into `outfile`, an ES module that evaluates them in order.
 *
 * The modules still find files relative to their sources.
 */
export async function bundle(files: readonly string[], outfile: string): Promise<void> {
  const contents = files.map((file) => `import ${JSON.stringify(resolve(file))};\n`).join("");
  await build({
    stdin: { contents, resolveDir: "/" },
    outfile,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    logLevel: "error",
    keepNames: true,
    // tap reports failures by their position in the source file, wherever the bundle runs.
    sourcemap: "linked",
    sourceRoot: `${pathToFileURL(dirname(outfile))}/`,
    sourcesContent: false,
    // The CommonJS modules in the bundle need `require`.
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
    plugins: [ownUrls],
  });
}

/** Keeps `import.meta.url` as the URL of each source file. esbuild would use the bundle's URL. */
const ownUrls: Plugin = {
  name: "own URLs",
  setup({ onLoad }) {
    onLoad({ filter: /\.[mc]?[jt]s$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      if (!source.includes("import.meta.url")) return;
      const contents = source.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href));
      return { contents, loader: /\.[mc]?ts$/.test(path) ? "ts" : "js" };
    });
  },
};
