// Tests scripts/build and scripts/trace with folders of TypeScript.
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t, { type Test } from "tap";
import { isStatic } from "../../../scripts/building/elf.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
// The first build compiles the Rust host if it has not been compiled before.
t.setTimeout(600_000);

const digest = `import { main, readStdin, sha256, writeStdout } from "host";
declare const __VERSION__: string;
const version = \` \${__VERSION__}\\n\`;
main(() => writeStdout(sha256(readStdin(1000)) + version));
`;

const thrower = `import { main, readFile } from "host";

interface Reader {
  readonly path: string;
}

function load({ path }: Reader): string {
  try {
    return readFile(path);
  } catch (cause) {
    throw new TypeError("cannot load", { cause });
  }
}

main(() => {
  load({ path: "/nonexistent" });
});
`;

/** Creates a directory with these plugins, each as a main.ts, in its folder `samples`. */
async function samples(t: Test, plugins: Readonly<Record<string, string>>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "build-"));
  t.teardown(() => rm(directory, { recursive: true }));
  await mkdir(join(directory, "samples"));
  for (const [name, main] of Object.entries(plugins)) {
    await mkdir(join(directory, "samples", name));
    await writeFile(join(directory, "samples", name, "main.ts"), main);
  }
  return directory;
}

/** Runs scripts/build in a directory. It reads `samples` and writes `bin`. */
function build(cwd: string) {
  return execa(join(root, "scripts/build"), ["--plugins", "samples", "--out", "bin"], { cwd, reject: false });
}

t.test("scripts/build makes a standalone executable of every folder with a main.ts", async (t) => {
  const directory = await samples(t, { digest, thrower });
  await mkdir(join(directory, "samples/not-a-plugin"));
  const { exitCode, stdout } = await build(directory);
  t.equal(exitCode, 0);
  t.match(stdout, /^bin\/digest: \d+ kB, of which frozen heap \d+ kB \(from \d+ kB of JavaScript\)\nbin\/thrower: /);
  t.same((await readdir(join(directory, "bin"))).sort(), ["digest", "maps", "thrower"]);
  const executable = join(directory, "bin/digest");
  t.equal((await stat(executable)).mode & 0o7777, 0o755);
  t.ok(isStatic(await readFile(executable)));
  t.ok((await stat(executable)).size <= 1_300_000);
  // A released executable has no debug information, so nothing in it needs to read any.
  t.notMatch(await readFile(executable, "latin1"), /gimli|libunwind/);

  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const { stdout: printed } = await execa(executable, { input: "abc", env: {}, extendEnv: false });
  t.equal(printed, `ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad ${version}`);
});

t.test("scripts/trace maps a thrown error to its lines of TypeScript", async (t) => {
  const directory = await samples(t, { thrower });
  await build(directory);
  const { exitCode, stderr } = await execa(join(directory, "bin/thrower"), { reject: false });
  t.equal(exitCode, 70);
  t.match(stderr, /^thrower: TypeError: cannot load\n {4}at \w+ \(thrower\.js:\d+:\d+\)/);
  const { stdout } = await execa(join(root, "scripts/trace"), ["bin/maps"], { cwd: directory, input: stderr });
  t.equal(
    stdout.replaceAll(/at \S+ \(/g, "at ("),
    [
      "thrower: TypeError: cannot load",
      // For a call, the engine records the position of the last name in its arguments. For a call
      // without names there, it records the call's own position.
      "    at (samples/thrower/main.ts:11:42)",
      "    at (samples/thrower/main.ts:16:3)",
      "caused by Error: open /nonexistent: No such file or directory (ENOENT)",
      "    at (samples/thrower/main.ts:9:21)",
      "    at (samples/thrower/main.ts:16:3)",
    ].join("\n"),
  );
});

t.test("the same sources in another directory build to the same bytes", async (t) => {
  const [first, second] = [await samples(t, { digest }), await samples(t, { digest })];
  await build(first);
  await build(second);
  for (const file of ["bin/digest", "bin/maps/digest.js.map"]) {
    t.ok((await readFile(join(first, file))).equals(await readFile(join(second, file))), file);
  }
});

t.test("scripts/build replaces an executable while it runs", async (t) => {
  const directory = await samples(t, { sleeper: 'import { main, sleep } from "host";\nmain(() => sleep(60_000));\n' });
  await build(directory);
  const sleeper = execa(join(directory, "bin/sleeper"), { reject: false });
  t.equal((await build(directory)).exitCode, 0);
  sleeper.kill("SIGKILL");
  t.equal((await sleeper).signal, "SIGKILL");
});

t.test("a module is evaluated at build time, and every process starts from that state", async (t) => {
  const counter = `import { args, main, writeStdout } from "host";
const squares = Array.from({ length: 1000 }, (_, index) => index ** 2);
const names = new Map([["a", { count: 0 }]]);
const pattern = new RegExp("^(a+)b$");
main(() => {
  names.get("a")!.count += squares[999]!;
  squares.push(1);
  writeStdout(JSON.stringify([args(), names.get("a"), squares.length, pattern.exec("aab")?.[1]]));
});
`;
  const directory = await samples(t, { counter });
  t.equal((await build(directory)).exitCode, 0);
  for (const argument of ["first", "second"]) {
    const { stdout } = await execa(join(directory, "bin/counter"), [argument]);
    t.equal(stdout, `[["${argument}"],{"count":998001},1001,"aa"]`);
  }
});

t.test("a process can use its full memory and stack, whatever the build used", async (t) => {
  const greedy = `import { main, writeStdout } from "host";
function attempt(act: () => void): string {
  try {
    act();
    return "none";
  } catch (error) {
    return String(error);
  }
}
main(() => {
  const all: object[] = [];
  const faults = [
    attempt(() => JSON.parse("[".repeat(1e6))),
    attempt(() => {
      for (;;) all.push([all.length]);
    }),
  ];
  writeStdout(JSON.stringify([...faults, all.length > 50_000]));
});
`;
  const directory = await samples(t, { greedy });
  await build(directory);
  const { stdout } = await execa(join(directory, "bin/greedy"));
  t.equal(stdout, '["RangeError: Maximum call stack size exceeded","InternalError: out of memory",true]');
});

t.test("scripts/build reports each fault plainly and leaves no executable", async (t) => {
  const faults: Record<string, [main: string, words: RegExp]> = {
    syntax: ["const a = ;\n", /samples\/faulty\/main\.ts:1:10/],
    missing: ['import { a } from "./missing.ts";\na();\n', /Could not resolve "\.\/missing\.ts"/],
    node: ['import fs from "node:fs";\nfs.mkdirSync("a");\n', /node:fs/],
    throwing: [
      'function early(): never {\n  throw new RangeError("too early");\n}\nearly();\n',
      /^build: bin\/faulty: RangeError: too early\n {4}at \w+ \(samples\/faulty\/main\.ts:2:13\)$/m,
    ],
    effect: [
      'import { writeStdout } from "host";\nwriteStdout("x");\n',
      /^build: bin\/faulty: Error: writeStdout: called while the executable is built, expected inside main$/m,
    ],
    waiting: ["await new Promise(() => {});\n", /a promise is awaited that nothing settles/],
    greedy: ["const all: object[] = [];\nfor (;;) all.push([all.length]);\n", /InternalError: out of memory/],
    large: [
      `import { main, writeStdout } from "host";\nmain(() => writeStdout(${JSON.stringify("x".repeat(2_500_000))}));\n`,
      /bin\/faulty: is \d+ bytes, expected at most 2500000/,
    ],
  };
  for (const [name, [main, words]] of Object.entries(faults)) {
    const directory = await samples(t, { faulty: main });
    const { exitCode, stderr } = await build(directory);
    t.equal(exitCode, 1, name);
    t.match(stderr, words, name);
    t.notOk((await readdir(join(directory, "bin"))).includes("faulty"), name);
  }
});

t.test("scripts/build fails without plugins, with an unknown option, and if it cannot write its output", async (t) => {
  const directory = await samples(t, {});
  const none = await build(directory);
  t.equal(none.exitCode, 1);
  t.equal(none.stderr, `build: ${join(directory, "samples")}: no folder in it has a main.ts`);
  const option = await execa(join(root, "scripts/build"), ["--plugin", "x"], { reject: false });
  t.equal(option.exitCode, 1);
  t.match(option.stderr, /^build: Unknown option '--plugin'/);
  await writeFile(join(directory, "bin"), "a file");
  await chmod(join(directory, "bin"), 0o600);
  await mkdir(join(directory, "samples/digest"));
  await writeFile(join(directory, "samples/digest/main.ts"), digest);
  t.match((await build(directory)).stderr, /EEXIST|ENOTDIR/);
});
