// A node's CNI directory for tests, and what is called in it.
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

/** The release that dist/ has. */
export const { version }: { readonly version: string } = JSON.parse(
  await readFile(new URL("../../../package.json", import.meta.url), "utf8"),
);

/** An empty directory, which everybody may look into, gone when `scope` ends. */
export async function emptyDirectory(scope: Scope): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "install-"));
  scope.teardown(() => rm(directory, { recursive: true, force: true }));
  await chmod(directory, 0o755);
  return directory;
}

/**
 * A directory with this release's executables, as another one: its version is what they say, and
 * their content differs.
 */
export async function otherRelease(scope: Scope, other: string): Promise<string> {
  const directory = await emptyDirectory(scope);
  for (const name of executables) {
    const content = await readFile(`${dist}/${name}`);
    // The label is filled up with NUL bytes.
    content.fill(0, content.length - 96, content.length - 32).write(`${name} ${other}`, content.length - 96);
    await writeExecutable(join(directory, name), content);
  }
  return directory;
}

/**
 * By another process: were the file open for writing in this one, a child of another test's might
 * have it open still, and it could not be run.
 */
export async function writeExecutable(path: string, content: Uint8Array): Promise<void> {
  await execa("sh", ["-c", 'cat >"$1" && chmod 755 "$1"', "sh", path], { input: content });
}

/** What `install` said, and how it ended. */
export interface Installed {
  readonly status: number | undefined;
  readonly signal: string | undefined;
  readonly lines: readonly string[];
  readonly stderr: string;
}

/**
 * Runs `bridge-binding install --to` with what follows, from `from` or dist/, `under` another
 * command line.
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

/** Every name in the directory (or these) with its mode and a digest of its content. */
export async function contents(directory: string, names?: readonly string[]): Promise<Record<string, string>> {
  const wanted = names ?? (await readdir(directory)).sort();
  const entries = wanted.map(async (name) => {
    const [{ mode }, content] = [await stat(join(directory, name)), await readFile(join(directory, name))];
    return [name, `${(mode & 0o7777).toString(8)} ${createHash("sha256").update(content).digest("hex")}`] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** What a directory has into which the release in `from` was installed, and nothing else. */
export function release(from: string = dist): Promise<Record<string, string>> {
  return contents(from, executables);
}
