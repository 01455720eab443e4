// Builds again from a copy of the sources in another folder, without caches. Fails unless the
// result equals dist/ byte for byte.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { execa } from "execa";

const copy = await mkdtemp(join(tmpdir(), "reproducible-"));
try {
  await copySources(copy);
  await symlink(resolve("node_modules"), join(copy, "node_modules"));
  await execa(join(copy, "scripts/build"), { cwd: copy, stdio: "inherit" });
  const [ours, theirs] = [await digests("dist"), await digests(join(copy, "dist"))];
  const unlike = [...new Set([...ours.keys(), ...theirs.keys()])].filter((name) => ours.get(name) !== theirs.get(name));
  for (const name of unlike)
    process.stdout.write(
      `dist/${name}: ${ours.get(name) ?? "not there"}, and from the copy ${theirs.get(name) ?? "not there"}\n`,
    );
  if (ours.size === 0) process.stdout.write("dist: empty, expected executables\n");
  process.exitCode = unlike.length > 0 || ours.size === 0 ? 1 : 0;
} finally {
  await rm(copy, { recursive: true });
}

/** The files that git tracks, and untracked ones that it does not ignore. */
async function copySources(to: string): Promise<void> {
  const { stdout } = await execa("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
  for (const file of stdout.split("\0")) {
    if (file !== "" && existsSync(file)) await cp(file, join(to, file));
  }
}

async function digests(directory: string): Promise<Map<string, string>> {
  const entries = existsSync(directory) ? await readdir(directory, { withFileTypes: true, recursive: true }) : [];
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const pairs = files.map(async (file) => {
    const digest = createHash("sha256")
      .update(await readFile(file))
      .digest("hex");
    return [file.slice(directory.length + 1), digest] as const;
  });
  return new Map(await Promise.all(pairs));
}
