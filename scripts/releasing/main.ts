// Implements scripts/release: builds the executables of a release and the files that describe them.
//
// - release/linux-<architecture>/<plugin>
// - release/maps
// - release/SHA256SUMS
// - the licence texts
// - release/sbom.cdx.json
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { execa } from "execa";
import { root } from "../building/bundle.ts";
import { type Architecture, isArchitecture, nativeArchitecture } from "../building/cross.ts";
import { ingredients } from "./ingredients.ts";
import { notices } from "./notices.ts";
import { sbom } from "./sbom.ts";

/** The files of a release that are not executables. */
const documents: readonly string[] = ["LICENSE", "THIRD-PARTY-NOTICES", "sbom.cdx.json"];

const [from, ...args] = process.argv.slice(2) as [string, ...string[]];
try {
  const { values, positionals } = parseArgs({ args, options: { out: { type: "string" } }, allowPositionals: true });
  const unknown = positionals.filter((name) => !isArchitecture(name));
  if (unknown.length > 0) throw new Error(`${unknown.join(", ")}: is not amd64 or arm64`);
  const architectures = positionals.length === 0 ? [nativeArchitecture] : [...new Set(positionals.sort())];
  const out = values.out === undefined ? join(root, "release") : resolve(from, values.out);
  await release(out, architectures as Architecture[]);
} catch (error) {
  process.stderr.write(`release: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}

/**
 * Replaces an earlier release in `out` after the new one is complete.
 *
 * @throws if `out` holds anything else
 */
async function release(out: string, architectures: readonly Architecture[]): Promise<void> {
  if (existsSync(out) && (await readdir(out)).length > 0 && !existsSync(join(out, "SHA256SUMS")))
    throw new Error(`${out}: is there, and is no earlier release; expected it to be empty`);
  await mkdir(dirname(out), { recursive: true });
  const unfinished = await mkdtemp(join(dirname(out), `.${basename(out)}-`));
  try {
    await chmod(unfinished, 0o755);
    for (const architecture of architectures) await build(architecture, unfinished);
    const folders = architectures.map(folder);
    const executables = await digests(unfinished, folders);
    const components = await ingredients(join(unfinished, "maps"), architectures);
    const document = sbom(components, executables);
    await copyFile(join(root, "LICENSE"), join(unfinished, "LICENSE"));
    await writeFile(join(unfinished, "THIRD-PARTY-NOTICES"), await notices(components));
    await writeFile(join(unfinished, "sbom.cdx.json"), `${JSON.stringify(document, undefined, 2)}\n`);
    const all = await digests(unfinished, [...folders, "maps", ...documents]);
    const sums = [...all].map(([file, digest]) => `${digest}  ${file}\n`);
    await writeFile(join(unfinished, "SHA256SUMS"), sums.join(""));
    await rm(out, { recursive: true, force: true });
    await rename(unfinished, out);
    process.stdout.write(sums.join("").replaceAll(/^(\w+) {2}/gm, `$1  ${relative(from, out)}/`));
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/**
 * Returns the directory of an architecture's executables.
 *
 * The prefix matters if a Dockerfile's TARGETARCH is unset. With the prefix, COPY fails. Without
 * the prefix, COPY would copy the whole build context.
 */
function folder(architecture: Architecture): string {
  return `linux-${architecture}`;
}

/**
 * Builds the executables into their folder. The source maps are the same for all architectures and
 * are put next to it.
 */
async function build(architecture: Architecture, directory: string): Promise<void> {
  const scratch = join(directory, "build");
  const args = ["--architecture", architecture, "--out", scratch];
  await execa(join(root, "scripts/build"), args, { stdio: ["ignore", "ignore", "inherit"] });
  await rm(join(directory, "maps"), { recursive: true, force: true });
  await rename(join(scratch, "maps"), join(directory, "maps"));
  await rename(scratch, join(directory, folder(architecture)));
}

/**
 * Returns the SHA-256 of each of these files, and of the files in these directories, by path. The
 * paths are sorted.
 */
async function digests(directory: string, entries: readonly string[]): Promise<Map<string, string>> {
  const files = await Promise.all(
    entries.map(async (entry) =>
      documents.includes(entry) ? [entry] : (await readdir(join(directory, entry))).map((name) => `${entry}/${name}`),
    ),
  );
  const pairs = files
    .flat()
    .sort()
    .map(async (file) => {
      const content = await readFile(join(directory, file));
      return [file, createHash("sha256").update(content).digest("hex")] as const;
    });
  return new Map(await Promise.all(pairs));
}
