// A TypeScript test as one JavaScript file: under emulation, reading and compiling tap's 1500 files
// and tsx takes 10 s more than this.
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";

/**
 * Bundles modules, to be evaluated in that order, with all they import, into `outfile`, an ES
 * module. What they find next to their sources they still find there.
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
    // What failed is shown by its place in its own file, wherever the bundle is run.
    sourcemap: "linked",
    sourceRoot: `${pathToFileURL(dirname(outfile))}/`,
    sourcesContent: false,
    // For the CommonJS modules in it.
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
    plugins: [ownUrls],
  });
}

/** import.meta.url stays each source file's own, and does not become the bundle's. */
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
