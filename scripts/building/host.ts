// Builds the host and the bytecode compiler with cargo: statically linked, and independent of the
// directory.
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { root } from "./bundle.ts";
import { type Architecture, crossTo, nativeArchitecture } from "./cross.ts";

const crate = join(root, "host");

/** The programs of cargo's build that a plugin's executable is made with. */
export interface Host {
  /** The executable that plugins are appended to. */
  readonly executable: string;
  /** `compile HOST NAME OUTPUT [LABEL [RUNNER]] < BUNDLE` */
  readonly compiler: string;
  /** The program that runs the host here, if the host is for another architecture. */
  readonly runner?: string;
}

/** Builds both programs if cargo detects a change. Cargo's progress goes to standard error. */
export async function buildHost(architecture: Architecture = nativeArchitecture): Promise<Host> {
  const release = await cargoBuild(await chosenTarget(), "--bins");
  const compiler = join(release, "compile");
  if (architecture === nativeArchitecture) return { executable: join(release, "host"), compiler };
  const { target, env, rustFlags, runner } = await crossTo(architecture);
  const executable = join(await cargoBuild(target, "--bin=host", env, rustFlags), "host");
  return { executable, compiler, runner };
}

/** Runs cargo and returns the directory of the built programs. */
async function cargoBuild(
  target: string,
  what: string,
  more: Readonly<Record<string, string>> = {},
  moreFlags: readonly string[] = [],
): Promise<string> {
  const env = {
    ...more,
    CARGO_ENCODED_RUSTFLAGS: [...rustFlags(target), ...moreFlags].join("\x1f"),
    // No exception is unwound through the engine: a panic aborts. An overflow of a buffer on the
    // stack of the engine's C code ends the process, before a changed return address is used.
    [`CFLAGS_${target.replaceAll("-", "_")}`]:
      "-fno-asynchronous-unwind-tables -fno-unwind-tables -fstack-protector-strong",
  };
  const args = ["build", "--release", "--locked", what, `--target=${target}`, "--target-dir=target"];
  await execa("cargo", args, { cwd: crate, env, stdio: ["ignore", "inherit", "inherit"] });
  return join(crate, "target", target, "release");
}

/** Returns this machine's target: musl if both Rust and C can be built for it, otherwise glibc. */
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
    // Removes the build directory from the places that panics report.
    `--remap-path-prefix=${cargoHome}=cargo`,
    `--remap-path-prefix=${crate}=host`,
    // Fixed addresses in every process, so that a frozen heap with pointers into the executable
    // stays valid. Not with glibc, because the executable would be too large.
    ...(target.endsWith("-musl") ? ["-Crelocation-model=static"] : []),
  ];
}
