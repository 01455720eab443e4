// Finds the tools that build for another architecture than this machine's.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { root } from "./bundle.ts";

/** The names of container images, each with the name that Rust, musl and QEMU use. */
const names = { amd64: "x86_64", arm64: "aarch64" } as const;

export type Architecture = keyof typeof names;

export function isArchitecture(name: string): name is Architecture {
  return Object.hasOwn(names, name);
}

export const nativeArchitecture: Architecture = process.arch === "arm64" ? "arm64" : "amd64";

/** Returns Rust's name of the architecture's musl target. */
export function muslTarget(architecture: Architecture): string {
  return `${names[architecture]}-unknown-linux-musl`;
}

/** How cargo builds for another architecture. */
export interface Cross {
  /** Such as `aarch64-unknown-linux-musl`. */
  readonly target: string;
  readonly env: Readonly<Record<string, string>>;
  readonly rustFlags: readonly string[];
  /** The program that runs the target's programs here, such as `qemu-aarch64-static`. */
  readonly runner: string;
}

/**
 * Finds the tools for an architecture on this machine. Rejects with a list of all that is missing.
 */
export async function crossTo(architecture: Architecture): Promise<Cross> {
  const name = names[architecture];
  const target = muslTarget(architecture);
  const { stdout: libraries } = await execa("rustc", ["--print=target-libdir", `--target=${target}`]);
  const gcc = onPath(`${name}-linux-musl-gcc`);
  const zig = onPath("zig") ?? onPath("python-zig");
  const runner = onPath(`qemu-${name}-static`) ?? onPath(`qemu-${name}`);
  const missing = [
    existsSync(libraries) ? undefined : `Rust's library for it (rustup target add ${target})`,
    (gcc ?? zig) ? undefined : `a C compiler for it (zig, also from pip install ziglang, or ${name}-linux-musl-gcc)`,
    runner ? undefined : "what runs its programs (qemu-user-static)",
  ].filter((one) => one !== undefined);
  if (missing.length > 0 || runner === undefined) throw new Error(`${architecture}: needs ${missing.join("; ")}`);
  const variable = target.replaceAll("-", "_");
  const env: Record<string, string> =
    gcc !== undefined
      ? { [`CC_${variable}`]: gcc }
      : { [`CC_${variable}`]: join(root, "scripts/building/zig-cc"), ZIG: zig!, ZIG_TARGET: `${name}-linux-musl` };
  // The C compiler only produces objects: Rust's own linker provides everything else.
  return { target, runner, env: { ...env, [`AR_${variable}`]: "ar" }, rustFlags: ["-Clinker=rust-lld"] };
}

function onPath(program: string): string | undefined {
  const paths = (process.env["PATH"] ?? "").split(":").map((directory) => join(directory, program));
  return paths.find((path) => existsSync(path));
}
