// Lists the components of the executables, from the lock files, from cargo, and from the source
// maps. The source maps name every file that contributed to a bundle.
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { root } from "../building/bundle.ts";
import { type Architecture, muslTarget } from "../building/cross.ts";

/** One component of the executables. */
export interface Ingredient {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression. */
  readonly license: string;
  /** The package URL (purl). */
  readonly purl: string;
  /** The hash of the component's archive, from its lock file. */
  readonly hash?: { readonly alg: "SHA-256" | "SHA-512"; readonly content: string };
}

/** The fields of a package in cargo metadata that are used here. */
export interface Crate {
  readonly name: string;
  readonly version: string;
  readonly license: string | null;
  readonly manifest_path: string;
}

/** Returns all components, sorted by purl. `maps` is the directory of the bundles' source maps. */
export async function ingredients(maps: string, architectures: readonly Architecture[]): Promise<Ingredient[]> {
  const sources = await sourcesOf(maps);
  const lock = JSON.parse(await readFile(join(root, "package-lock.json"), "utf8"));
  const found: Ingredient[] = npmPackages(sources, lock);
  const linked = new Set<string>();
  for (const architecture of architectures) {
    const target = muslTarget(architecture);
    // Uses cargo tree, because only its graph has the actual features of each crate. The graph of
    // cargo metadata includes crates that are not built.
    const edges = ["--edges=normal,no-proc-macro", "--prefix=none", "--format={p}", "--no-dedupe"];
    for (const crate of linkedCrates(await cargo("tree", "--locked", `--target=${target}`, ...edges)))
      linked.add(crate);
    found.push(await libc(target));
  }
  const { packages }: { packages: Crate[] } = JSON.parse(await cargo("metadata", "--locked", "--format-version=1"));
  const crates = packages.filter(({ name, version }) => linked.has(`${name}@${version}`));
  found.push(...cargoPackages(crates, await readFile(join(root, "host/Cargo.lock"), "utf8")));
  found.push(await engine(crates), await rust());
  const sorted = found.sort((a, b) => (a.purl < b.purl ? -1 : 1));
  return sorted.filter(({ purl }, index) => purl !== sorted[index - 1]?.purl);
}

/**
 * Returns the npm packages of these sources. A source is, for example,
 * `node_modules/zod/v4/mini/parse.js`.
 *
 * @throws if the lock file has no entry for a package
 */
export function npmPackages(
  sources: readonly string[],
  lock: { readonly packages: Readonly<Record<string, { version: string; license?: string; integrity?: string }>> },
): Ingredient[] {
  const names = sources.flatMap((source) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1] ?? []);
  return [...new Set(names)].map((name) => {
    const entry = lock.packages[`node_modules/${name}`];
    if (entry === undefined) throw new Error(`${name}: is bundled, and not in package-lock.json`);
    const { version, license, integrity } = entry;
    const [, base64] = /^sha512-(.+)$/.exec(integrity ?? "") ?? [];
    const content = base64 === undefined ? undefined : Buffer.from(base64, "base64").toString("hex");
    return {
      ...{ name, version, license: license ?? "NOASSERTION" },
      purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
      ...(content !== undefined && { hash: { alg: "SHA-512" as const, content } }),
    };
  });
}

/**
 * Returns the crates in a cargo tree, such as `libc@0.2.191`, without the root crate, which comes
 * first.
 */
export function linkedCrates(tree: string): string[] {
  const [, ...lines] = tree.split("\n");
  return [...new Set(lines.flatMap((line) => /^(\S+) v(\S+)/.exec(line)?.slice(1).join("@") ?? []))];
}

/** Returns the crates with the checksums of a Cargo.lock. */
export function cargoPackages(crates: readonly Crate[], lock: string): Ingredient[] {
  const entry = /^name = "(.+)"\nversion = "(.+)"\n(?:source = .+\n)?checksum = "(.+)"$/gm;
  const checksums = new Map([...lock.matchAll(entry)].map(([, name, version, sum]) => [`${name}@${version}`, sum!]));
  return crates.map(({ name, version, license }) => {
    const content = checksums.get(`${name}@${version}`);
    return {
      ...{ name, version, license: (license ?? "NOASSERTION").replaceAll("/", " OR ") },
      purl: `pkg:cargo/${name}@${version}`,
      ...(content !== undefined && { hash: { alg: "SHA-256" as const, content } }),
    };
  });
}

async function cargo(...args: readonly string[]): Promise<string> {
  return (await execa("cargo", args, { cwd: join(root, "host") })).stdout;
}

async function sourcesOf(maps: string): Promise<string[]> {
  const files = await readdir(maps);
  const texts = await Promise.all(files.map((file) => readFile(join(maps, file), "utf8")));
  return texts.flatMap((text) => (JSON.parse(text) as { sources: string[] }).sources);
}

/** Returns QuickJS-ng. A crate contains its C code. */
async function engine(crates: readonly Crate[]): Promise<Ingredient> {
  const crate = crates.find(({ name }) => name === "rquickjs-sys");
  if (crate === undefined) throw new Error("rquickjs-sys: is not among the host's crates, expected the engine there");
  const header = await readFile(join(dirname(crate.manifest_path), "quickjs/quickjs.h"), "utf8");
  const numbers = ["MAJOR", "MINOR", "PATCH"].map((part) => {
    const [, number] = new RegExp(`^#define QJS_VERSION_${part} (\\d+)$`, "m").exec(header) ?? [];
    if (number === undefined) throw new Error(`quickjs.h: has no QJS_VERSION_${part}`);
    return number;
  });
  const version = numbers.join(".");
  return { name: "quickjs-ng", version, license: "MIT", purl: `pkg:github/quickjs-ng/quickjs@v${version}` };
}

/** Returns Rust's standard library, which comes with the compiler. */
async function rust(): Promise<Ingredient> {
  const { stdout } = await execa("rustc", ["-vV"], { cwd: join(root, "host") });
  const [, version] = /^release: (.+)$/m.exec(stdout)!;
  return {
    name: "rust-std",
    version: version!,
    license: "MIT OR Apache-2.0",
    purl: `pkg:github/rust-lang/rust@${version}`,
  };
}

/**
 * Returns musl, which comes with Rust's target. Its version is a separate string in the archive.
 */
async function libc(target: string): Promise<Ingredient> {
  const { stdout } = await execa("rustc", ["--print=target-libdir", `--target=${target}`], { cwd: join(root, "host") });
  const archive = join(stdout, "self-contained/libc.a");
  const content = await readFile(archive, "latin1").catch(() => {
    throw new Error(
      `${target}: Rust's library for it is not there, which a release is linked with: rustup target add ${target}`,
    );
  });
  const [, version] = /\0(1\.\d+\.\d+)\0/.exec(content) ?? [];
  if (version === undefined) throw new Error(`${archive}: does not say which musl it is`);
  return { name: "musl", version, license: "MIT", purl: `pkg:generic/musl@${version}` };
}
