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
