// Creates CNI directories of a node for tests, and runs `install` on them.
import { createHash } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { dist } from "../../harness/plugin.ts";
import type { Scope } from "../../harness/scope.ts";

export const plugins = ["bridge-binding", "passt-binding", "sriov-vfio"] as const;

/** The executables that the build makes. */
export const executables = [...plugins, "vmnet"] as const;

/** The version of the executables in dist/. */
export const { version }: { readonly version: string } = JSON.parse(
  await readFile(new URL("../../../package.json", import.meta.url), "utf8"),
);

/** Creates an empty directory with mode 755. It is removed when `scope` ends. */
export async function emptyDirectory(scope: Scope): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "install-"));
  scope.teardown(() => rm(directory, { recursive: true, force: true }));
  await chmod(directory, 0o755);
  return directory;
}

/**
 * Creates a directory with this release's executables, disguised as release `other`. Their labels
 * name that version, so that their content differs.
 */
export async function otherRelease(scope: Scope, other: string): Promise<string> {
  const directory = await emptyDirectory(scope);
  for (const name of executables) {
    const content = await readFile(`${dist}/${name}`);
    // The label is padded with NUL bytes.
    content.fill(0, content.length - 96, content.length - 32).write(`${name} ${other}`, content.length - 96);
    await writeExecutable(join(directory, name), content);
  }
  return directory;
}

/**
 * Writes an executable file through another process.
 *
 * If this process opened it for writing, a child of another test could inherit the descriptor, and
 * the file could not be executed (ETXTBSY).
 */
export async function writeExecutable(path: string, content: Uint8Array): Promise<void> {
  await execa("sh", ["-c", 'cat >"$1" && chmod 755 "$1"', "sh", path], { input: content });
}

/** The output and the exit of `install`. */
export interface Installed {
  readonly status: number | undefined;
  readonly signal: string | undefined;
  readonly lines: readonly string[];
  readonly stderr: string;
}

/**
 * Runs `bridge-binding install --to` with `args`. `from` is the directory of the executable,
 * `under` a prefix for the command line.
 */
export async function install(
  args: readonly string[],
  { under = [], from = dist }: { readonly under?: readonly string[]; readonly from?: string } = {},
): Promise<Installed> {
  const [file, ...rest] = [...under, join(from, "bridge-binding"), "install", "--to", ...args];
  const { exitCode, signal, stdout, stderr } = await execa(file!, rest, {
    reject: false,
    timeout: 60_000,
    killSignal: "SIGKILL",
  });
  return { status: exitCode, signal, lines: stdout === "" ? [] : stdout.split("\n"), stderr };
}

/**
 * Returns the mode and a digest of the content of every file in the directory, or of the files in
 * `names`.
 */
export async function contents(directory: string, names?: readonly string[]): Promise<Record<string, string>> {
  const wanted = names ?? (await readdir(directory)).sort();
  const entries = wanted.map(async (name) => {
    const [{ mode }, content] = [await stat(join(directory, name)), await readFile(join(directory, name))];
    return [name, `${(mode & 0o7777).toString(8)} ${createHash("sha256").update(content).digest("hex")}`] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** Returns the {@link contents} of a directory that holds only the release in `from`. */
export function release(from: string = dist): Promise<Record<string, string>> {
  return contents(from, executables);
}
