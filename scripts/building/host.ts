// The host and the compiler of bytecode: built by cargo, statically linked, the same from any
// directory.
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { root } from "./bundle.ts";
import { type Architecture, crossTo, nativeArchitecture } from "./cross.ts";

const crate = join(root, "host");

/** Where cargo left what a plugin's executable is made with. */
export interface Host {
  /** What plugins are appended to. */
  readonly executable: string;
  /** `compile HOST NAME OUTPUT [LABEL [RUNNER]] < BUNDLE` */
  readonly compiler: string;
  /** What runs the host here, where it is another architecture's. */
  readonly runner?: string;
}

/** Builds both, where cargo finds that anything changed; its progress goes to standard error. */
export async function buildHost(architecture: Architecture = nativeArchitecture): Promise<Host> {
  const release = await cargoBuild(await chosenTarget(), "--bins");
  const compiler = join(release, "compile");
  if (architecture === nativeArchitecture) return { executable: join(release, "host"), compiler };
  const { target, env, rustFlags, runner } = await crossTo(architecture);
  const executable = join(await cargoBuild(target, "--bin=host", env, rustFlags), "host");
  return { executable, compiler, runner };
}

/** Gives the directory that cargo leaves what it built in. */
async function cargoBuild(
  target: string,
  what: string,
  more: Readonly<Record<string, string>> = {},
  moreFlags: readonly string[] = [],
): Promise<string> {
  const env = {
    ...more,
    CARGO_ENCODED_RUSTFLAGS: [...rustFlags(target), ...moreFlags].join("\x1f"),
    // Nothing unwinds through the engine: a panic aborts.
    [`CFLAGS_${target.replaceAll("-", "_")}`]: "-fno-asynchronous-unwind-tables -fno-unwind-tables",
  };
  const args = ["build", "--release", "--locked", what, `--target=${target}`, "--target-dir=target"];
  await execa("cargo", args, { cwd: crate, env, stdio: ["ignore", "inherit", "inherit"] });
  return join(crate, "target", target, "release");
}

/**
 * This machine's architecture with musl, where Rust and C can both be built for it, and with glibc
 * otherwise.
 */
async function chosenTarget(): Promise<string> {
  const { stdout: version } = await execa("rustc", ["-vV"], { cwd: crate });
  const [, native, architecture] = /^host: (([^-]+)-.*)$/m.exec(version)!;
  const musl = `${architecture}-unknown-linux-musl`;
  const { stdout: libraries } = await execa("rustc", ["--print=target-libdir", `--target=${musl}`], { cwd: crate });
  const compilers = ["musl-gcc", `${architecture}-linux-musl-gcc`];
  const onPath = (program: string): boolean =>
    (process.env["PATH"] ?? "").split(":").some((directory) => existsSync(join(directory, program)));
  if (existsSync(libraries) && compilers.some(onPath)) return musl;
  process.stderr.write(
    "build: no musl-gcc, or no Rust library for musl: linked with static glibc, larger and slower to start; scripts/setup --for build installs them\n",
  );
  return native!;
}

function rustFlags(target: string): string[] {
  const cargoHome = process.env["CARGO_HOME"] ?? join(homedir(), ".cargo");
  return [
    "-Ctarget-feature=+crt-static",
    "-Cforce-unwind-tables=no",
    // Where a panic would say it was, without where it was built.
    `--remap-path-prefix=${cargoHome}=cargo`,
    `--remap-path-prefix=${crate}=host`,
    // At the same addresses in every process, so that a heap which was frozen with pointers into it
    // can be used again. With glibc it would be too large.
    ...(target.endsWith("-musl") ? ["-Crelocation-model=static"] : []),
  ];
}
