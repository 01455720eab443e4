// The import graph of the sources: which file imports which, read from the text.
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { execa } from "execa";

/**
 * The files that each file imports by a relative path; all paths are relative to the repository.
 */
export type Imports = ReadonlyMap<string, readonly string[]>;

const importing = /(?:from |import\(|^import )"(\.{1,2}\/[^"]+)"/gm;

/** Reads the imports of all tracked TypeScript files below the folders. */
export async function importsOf(root: string, ...folders: readonly string[]): Promise<Imports> {
  const listed = await execa("git", ["ls-files", "--cached", "--others", "--exclude-standard", ...folders], {
    cwd: root,
  });
  const files = listed.stdout.split("\n").filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"));
  return new Map(files.map((file) => [file, importedBy(file, readFileSync(join(root, file), "utf8"))]));
}

/** The paths that a file's text imports. */
export function importedBy(file: string, text: string): string[] {
  return [...text.matchAll(importing)].map(([, path]) => normalize(join(dirname(file), path!)));
}

/** Every circle, each once, as the files on it. */
export function circles(imports: Imports): string[][] {
  const found = new Map<string, string[]>();
  const finished = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start >= 0) {
      const circle = path.slice(start);
      found.set([...circle].sort().join(" "), circle);
      return;
    }
    if (finished.has(file)) return;
    for (const next of imports.get(file) ?? []) visit(next, [...path, file]);
    finished.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  return [...found.values()];
}

/** The same of the host's modules, all paths relative to the repository. */
export async function hostImports(root: string): Promise<Imports> {
  const listed = await execa("git", ["ls-files", "--cached", "--others", "--exclude-standard", "host/src"], {
    cwd: root,
  });
  const files = listed.stdout.split("\n").filter((file) => file.endsWith(".rs"));
  return new Map(files.map((file) => [file, usedBy(file, readFileSync(join(root, file), "utf8"), files)]));
}

/** The files whose items a Rust file uses by `crate::` or `super::`. */
export function usedBy(file: string, text: string, files: readonly string[]): string[] {
  const used = [...text.matchAll(/\b(crate|super)::((?:[^;{}]|\{[^;]*\})+?)(?=[;(<,\s)]|$)/gm)].flatMap(
    ([, from, rest]) =>
      expanded(rest!).map((path) => join(from === "crate" ? "host/src" : dirname(file), path.replaceAll("::", "/"))),
  );
  return [...new Set(used.flatMap((path) => fileOf(path, files) ?? []))].filter((other) => other !== file);
}

/** The paths in a list such as `a::{b, c::{d, e}}, f`. */
function expanded(text: string): string[] {
  const paths: string[] = [];
  const prefixes: string[] = [""];
  for (const [, name, mark] of `${text},`.matchAll(/\s*([\w:]*)\s*([{},])/g)) {
    if (mark === "{") prefixes.push(`${prefixes.at(-1)}${name}`);
    else if (name !== "") paths.push(`${prefixes.at(-1)}${name}`);
    if (mark === "}") prefixes.pop();
  }
  return paths;
}

/** The file of the longest beginning of a path that has one. */
function fileOf(path: string, files: readonly string[]): string | undefined {
  for (let module = path; module !== "host/src" && module !== "."; module = dirname(module)) {
    const found = [`${module}.rs`, `${module}/mod.rs`].find((name) => files.includes(name));
    if (found !== undefined) return found;
  }
  return undefined;
}
