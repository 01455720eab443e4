// Collects the licences of all linked software into one text: THIRD-PARTY-NOTICES.
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { root } from "../building/bundle.ts";
import type { Ingredient } from "./ingredients.ts";

/**
 * Returns the line before a component's licence texts. The test finds the components by this line.
 */
export function heading({ name, version, license }: Pick<Ingredient, "name" | "version" | "license">): string {
  return `## ${name} ${version} (${license})`;
}

/** Returns all licence texts. Rejects if one cannot be found. */
export async function notices(components: readonly Ingredient[]): Promise<string> {
  const crates = await crateFolders();
  const parts: string[] = [];
  for (const component of components) {
    const texts = await textsOf(component, crates);
    if (texts.length === 0) throw new Error(`${component.name}: has no licence text on this machine`);
    parts.push(heading(component), ...texts.map((text) => text.trim()));
  }
  return `${introduction}\n\n${parts.join("\n\n")}\n`;
}

const introduction = `# Third-party notices

The executables of kubevirt-cni-bindings contain the software below.
scripts/release writes this file: do not edit it.`;

async function textsOf({ name, version, purl }: Ingredient, crates: ReadonlyMap<string, Crate>): Promise<string[]> {
  if (purl.startsWith("pkg:npm/")) return licencesIn(join(root, "node_modules", name));
  const crate = crates.get(`${name}@${version}`);
  if (crate !== undefined) {
    const texts = await licencesIn(crate.folder);
    // Some crates are published without the text of their licence.
    return texts.length > 0
      ? texts
      : [`Copyright (c) ${crate.authors.join(", ")}`, await text(join(await rustLicences(), "MIT.txt"))];
  }
  switch (name) {
    case "quickjs-ng": {
      const engine = [...crates.values()].find(({ folder }) => existsSync(join(folder, "quickjs/LICENSE")));
      return engine === undefined ? [] : [await text(join(engine.folder, "quickjs/LICENSE"))];
    }
    case "rust-std":
      return Promise.all(["MIT.txt", "Apache-2.0.txt"].map(async (file) => text(join(await rustLicences(), file))));
    case "musl":
      return [await text("/usr/share/doc/musl/copyright")];
    default:
      return [];
  }
}

async function licencesIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => /^(LICEN[CS]E|COPYING|COPYRIGHT|NOTICE)/i.test(name)).sort();
  return Promise.all(names.map((name) => text(join(folder, name))));
}

function text(path: string): Promise<string> {
  return readFile(path, "utf8");
}

async function rustLicences(): Promise<string> {
  const { stdout } = await execa("rustc", ["--print=sysroot"], { cwd: join(root, "host") });
  return join(stdout, "share/doc/rust/licenses");
}

interface Crate {
  readonly folder: string;
  readonly authors: readonly string[];
}

/** Returns cargo's folder and the authors of each crate, by `name@version`. */
async function crateFolders(): Promise<Map<string, Crate>> {
  const { stdout } = await execa("cargo", ["metadata", "--locked", "--format-version=1"], { cwd: join(root, "host") });
  const { packages } = JSON.parse(stdout) as {
    packages: { name: string; version: string; manifest_path: string; authors: string[] }[];
  };
  return new Map(
    packages.map(({ name, version, manifest_path, authors }) => [
      `${name}@${version}`,
      { folder: dirname(manifest_path), authors },
    ]),
  );
}
