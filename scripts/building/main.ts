// Implements scripts/build: plugins/<name>/main.ts and commands/<name>/main.ts → one bundle →
// bytecode → dist/<name>.
//
// The executables are static, small, and independent of the directory they were built in.
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { execa } from "execa";
import { bundle, root } from "./bundle.ts";
import { type Architecture, isArchitecture, nativeArchitecture } from "./cross.ts";
import { isStatic } from "./elf.ts";
import { buildHost, type Host } from "./host.ts";
import { traced } from "./trace.ts";

/** Maximum size of an executable in bytes. */
const budget = 2_500_000;

const [from, ...args] = process.argv.slice(2) as [string, ...string[]];
try {
  const { values: options } = parseArgs({
    args,
    options: { plugins: { type: "string" }, out: { type: "string" }, architecture: { type: "string" } },
  });
  const architecture = options.architecture ?? nativeArchitecture;
  if (!isArchitecture(architecture)) throw new Error(`--architecture ${architecture}: is not amd64 or arm64`);
  await main(
    options.plugins === undefined ? [join(root, "plugins"), join(root, "commands")] : [resolve(from, options.plugins)],
    options.out === undefined ? join(root, "dist") : resolve(from, options.out),
    architecture,
  );
} catch (error) {
  process.stderr.write(`build: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}

async function main(folders: readonly string[], out: string, architecture: Architecture): Promise<void> {
  const programs = (await Promise.all(folders.map(programsIn))).flat();
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const host = await buildHost(architecture);
  await mkdir(join(out, "maps"), { recursive: true });
  for (const { name, folder } of programs) {
    const { code, map } = await bundle(join(folder, name, "main.ts"), folder, version);
    const maps = join(out, "maps");
    await writeFile(join(maps, `${name}.js.map`), map);
    const executable = join(out, name);
    const args = [
      host.executable,
      `${name}.js`,
      executable,
      `${name} ${version}`,
      ...(host.runner ? [host.runner] : []),
    ];
    const { failed, stderr } = await execa(host.compiler, args, { input: code, reject: false });
    // The compiler evaluates the module, so errors of its top-level code occur here. Their places
    // are translated to TypeScript.
    if (failed) throw new Error(`${relative(from, executable)}: ${traced(stderr.replace(/^compile: /, ""), maps)}`);
    await report(executable, code, host).catch(async (error) => {
      await rm(executable);
      throw error;
    });
  }
}

/**
 * Returns the programs of a folder: its subfolders that have a main.ts.
 *
 * @throws if there is none
 */
async function programsIn(folder: string): Promise<{ name: string; folder: string }[]> {
  const entries = existsSync(folder) ? (await readdir(folder)).sort() : [];
  const names = entries.filter((name) => existsSync(join(folder, name, "main.ts")));
  if (names.length === 0) throw new Error(`${folder}: no folder in it has a main.ts`);
  return names.map((name) => ({ name, folder }));
}

/**
 * Prints an executable's size.
 *
 * @throws if the executable is larger than the budget, or not statically linked
 */
async function report(executable: string, code: string, host: Host): Promise<void> {
  const name = relative(from, executable);
  const [file, bare] = [await readFile(executable), await readFile(host.executable)];
  if (!isStatic(file)) throw new Error(`${name}: needs a dynamic linker, expected a static executable`);
  if (file.length > budget) throw new Error(`${name}: is ${file.length} bytes, expected at most ${budget}`);
  const [all, heap, script] = [file.length, file.length - bare.length, code.length].map(
    (bytes) => `${Math.ceil(bytes / 1000)} kB`,
  );
  process.stdout.write(`${name}: ${all}, of which frozen heap ${heap} (from ${script} of JavaScript)\n`);
}
