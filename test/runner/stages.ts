// The stages of scripts/test, in order. Each has a command, and a way to count its tests.

export interface Stage {
  readonly name: string;
  readonly command: readonly [file: string, ...args: string[]];
  /**
   * - `tap`: the tests in the TAP file that {@link tapFile} names.
   * - `cargo`: the tests in its output.
   * - `check`: the stage itself, as one test.
   */
  readonly counts: "tap" | "cargo" | "check";
  /** Without this program, the stage is skipped, and so are the stages that need it. */
  readonly program?: string;
  /** If that stage fails, this one fails without being run. */
  readonly needs?: string;
  /** The stage is stopped after this time, and fails. */
  readonly minutes: number;
  /** Returns the stage that runs failed files once more. Its results count. For TAP only. */
  readonly rerun?: (files: readonly string[]) => Stage;
  /** Long and rarely red: it runs only by name, or with `--all`. */
  readonly rare?: true;
  /** The TAP comments to print while the stage runs. For stages of many minutes. */
  readonly comments?: RegExp;
}

/** The directory of the stages' output. */
export const logDirectory = ".cache/test";

/** Returns the path of the TAP file of a stage. */
export function tapFile(stage: string): string {
  return `${logDirectory}/${stage}.tap`;
}

const cargo = (command: string, ...args: string[]): Stage["command"] => [
  "cargo",
  command,
  "--manifest-path=host/Cargo.toml",
  ...args,
];

function tap(stage: string, files = [`test/system/${stage}/**/*.test.ts`], ...options: string[]): Stage["command"] {
  return ["node_modules/.bin/tap", "--reporter=silent", ...options, `--output-file=${tapFile(stage)}`, ...files];
}

/** Tests of executables on a shared machine. Failed files run once more. */
function outside(name: string, minutes: number, needs = "build"): Stage {
  const timeout = "--timeout=300";
  const stage = { counts: "tap", minutes, needs } as const;
  return {
    ...stage,
    name,
    command: tap(name, undefined, timeout),
    rerun: (files) => ({ ...stage, name: `${name}-again`, command: tap(`${name}-again`, [...files], timeout) }),
  };
}

/** The lab. One of its machines needs two CPUs. */
function vm(name: string, files: readonly string[]): Stage {
  return {
    name,
    counts: "tap",
    minutes: 45,
    needs: "build",
    command: tap(name, [...files], "--jobs=1", "--timeout=2400"),
    comments: /start to shell: \d+ ms|\.test\.ts: \d+ s/,
  };
}

export const stages: readonly Stage[] = [
  { name: "types", counts: "check", minutes: 2, command: ["npm", "run", "--silent", "typecheck"] },
  {
    name: "lint",
    counts: "check",
    minutes: 2,
    command: ["node_modules/.bin/biome", "ci", "--colors=off", "--error-on-warnings", "."],
  },
  { name: "unit", counts: "tap", minutes: 5, command: tap("unit", ["test/unit/!(fuzz)/**/*.test.ts"]) },
  { name: "fuzz", counts: "tap", minutes: 5, command: tap("fuzz", ["test/unit/fuzz/*.test.ts"]) },
  { name: "rustfmt", counts: "check", minutes: 2, command: cargo("fmt", "--check", "--", "--color=never") },
  {
    name: "clippy",
    counts: "check",
    minutes: 10,
    command: cargo("clippy", "--locked", "--all-targets", "--", "-D", "warnings"),
  },
  { name: "host", counts: "cargo", minutes: 10, command: cargo("test", "--locked", "--no-fail-fast") },
  { name: "build", counts: "check", minutes: 10, command: ["scripts/build"] },
  {
    name: "reproducible",
    counts: "check",
    minutes: 10,
    needs: "build",
    command: ["node", "--import=tsx", "test/runner/reproducible.ts"],
  },
  {
    name: "budgets",
    counts: "check",
    minutes: 5,
    needs: "build",
    command: ["node", "--import=tsx", "bench/main.ts", "--check"],
  },
  { name: "executables", counts: "tap", minutes: 15, needs: "build", command: tap("executables") },
  outside("install", 10),
  outside("netns", 20),
  outside("conformance", 15),
  outside("resilience", 15),
  { name: "peers", counts: "check", minutes: 15, program: "go", command: ["test/system/peers/build"] },
  outside("callers", 10, "peers"),
  {
    name: "releases",
    counts: "check",
    minutes: 15,
    needs: "build",
    rare: true,
    command: ["test/system/upgrade/build"],
  },
  { ...outside("upgrade", 10, "releases"), rare: true },
  // An emulated machine sometimes hangs.
  { ...vm("vm", ["test/lab/vm/**/*.test.ts"]), rerun: (files) => vm("vm-again", files) },
  {
    name: "storm",
    counts: "tap",
    minutes: 30,
    needs: "build",
    rare: true,
    comments: /^storm: /,
    command: [
      "node",
      "--import=tsx",
      "test/runner/storm.ts",
      ...tap("storm", ["test/system/storm/storm.test.ts"], "--timeout=1500"),
    ],
  },
  {
    name: "busy",
    counts: "tap",
    minutes: 60,
    needs: "build",
    rare: true,
    command: [
      "node",
      "--import=tsx",
      "test/runner/busy.ts",
      ...tap("busy", ["test/system/netns/**/*.test.ts"], "--timeout=1200"),
    ],
  },
  { ...vm("vm-all", ["test/lab/all/**/*.test.ts"]), rerun: (files) => vm("vm-all-again", files), rare: true },
];
