// A TypeScript test as one JavaScript file: under emulation, reading and compiling tap's 1500 files and tsx takes 10 s more than this.
import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";

/** Bundles the test in `file`, with all it imports, into `outfile`, an ES module. What it finds next to its sources it still finds there. */
export async function bundle(file: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [file],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    logLevel: "error",
    keepNames: true,
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
