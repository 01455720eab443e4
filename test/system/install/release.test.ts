// Tests scripts/release and the image: the published files, and that they work without any others.
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t, { type Test } from "tap";
import { crossTo, nativeArchitecture } from "../../../scripts/building/cross.ts";
import { heading } from "../../../scripts/releasing/notices.ts";
import { contents, emptyDirectory, executables, release, version } from "./node.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
t.setTimeout(240_000);

const published = join(await emptyDirectory(t), "release");
await execa(join(root, "scripts/release"), ["--out", published]);
const folder = `linux-${nativeArchitecture}`;
const native = join(published, folder);

t.test("a release contains the executables of dist/, source maps, checksums and an SBOM", async (t) => {
  t.same(
    (await readdir(published)).sort(),
    [folder, "LICENSE", "maps", "SHA256SUMS", "sbom.cdx.json", "THIRD-PARTY-NOTICES"].sort(),
  );
  t.same(await contents(native), await release());
  const { stdout } = await execa("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: published });
  t.equal(stdout.split("\n").length, 2 * executables.length + 3);
  await writeFile(join(published, "maps/bridge-binding.js.map"), "{}");
  await t.rejects(execa("sha256sum", ["--check", "SHA256SUMS"], { cwd: published }));
});

t.test("scripts/release twice produces the same bytes and replaces the earlier release", async (t) => {
  const again = join(await emptyDirectory(t), "again");
  await mkdir(again);
  await execa(join(root, "scripts/release"), ["--out", "again"], { cwd: join(again, "..") });
  const before = await files(again);
  await writeFile(join(again, "obsolete"), "");
  await execa(join(root, "scripts/release"), ["--out", again]);
  t.same(await files(again), before);
  t.equal(before["sbom.cdx.json"], (await files(published))["sbom.cdx.json"]);
});

t.test("scripts/release refuses a directory with other files and an unknown architecture", async (t) => {
  const other = await emptyDirectory(t);
  await writeFile(join(other, "thesis"), "");
  const { exitCode, stderr } = await execa(join(root, "scripts/release"), ["--out", other], { reject: false });
  t.same([exitCode, stderr], [1, `release: ${other}: is there, and is no earlier release; expected it to be empty`]);
  t.same(await readdir(other), ["thesis"]);
  const { stderr: words } = await execa(join(root, "scripts/release"), ["sparc"], { reject: false });
  t.equal(words, "release: sparc: is not amd64 or arm64");
});

t.test("the SBOM lists packages of npm and cargo and those that the compiler adds", async (t) => {
  const { components } = JSON.parse(await readFile(join(published, "sbom.cdx.json"), "utf8"));
  const names = (components as { purl: string }[]).map(({ purl }) => purl.replace(/@[^@]+$/, ""));
  for (const name of ["npm/zod", "cargo/rquickjs-sys", "cargo/libc", "cargo/rustix", "generic/musl"])
    t.ok(names.includes(`pkg:${name}`), name);
  for (const name of ["npm/tap", "npm/esbuild", "cargo/cc", "cargo/host"]) t.notOk(names.includes(`pkg:${name}`), name);
  t.ok(names.includes("pkg:github/quickjs-ng/quickjs") && names.includes("pkg:github/rust-lang/rust"));
  for (const { name, version, licenses } of components) t.ok(name && version && licenses.length === 1, name);
});

t.test("the release and the repository contain the licence of everything that is linked in", async (t) => {
  const { components } = JSON.parse(await readFile(join(published, "sbom.cdx.json"), "utf8"));
  const released = await readFile(join(published, "THIRD-PARTY-NOTICES"), "utf8");
  const committed = await readFile(join(root, "THIRD-PARTY-NOTICES"), "utf8");

  for (const { name, version, licenses } of components) {
    const line = heading({ name, version, license: licenses[0].expression ?? licenses[0].license.id });
    t.ok(released.includes(`${line}\n\n`), line);
    // The machine's compiler determines which of these libraries is linked.
    if (name !== "rust-std" && name !== "musl") t.ok(committed.includes(`${line}\n\n`), `in the repository: ${line}`);
  }
  for (const holder of ["Fabrice Bellard", "Rich Felker", "Colin McDonnell"]) t.match(released, holder);
  t.equal(await readFile(join(published, "LICENSE"), "utf8"), await readFile(join(root, "LICENSE"), "utf8"));
});

const other = nativeArchitecture === "amd64" ? "arm64" : "amd64";
const cross = await crossTo(other).catch((error: Error) => error.message);
const lacking = typeof cross === "string" ? { skip: cross } : {};

t.test("the executables for another architecture run there with every page size", lacking, async (t) => {
  const out = await emptyDirectory(t);
  if (typeof cross === "string") return;
  await execa(join(root, "scripts/build"), ["--architecture", other, "--out", out]);
  for (const name of executables)
    for (const page of other === "arm64" ? [4096, 65536] : [4096]) {
      const env = { CNI_COMMAND: "VERSION" };
      const input = '{"cniVersion":"1.0.0"}';
      const { stdout } = await execa(cross.runner, ["-p", `${page}`, join(out, name)], { env, input });
      t.match(JSON.parse(stdout), { supportedVersions: ["0.1.0"] }, `${name}, pages of ${page}`);
    }
  const { exitCode, stderr } = await execa(cross.runner, [join(out, executables[0]), "install", "--to", out], {
    reject: false,
  });
  t.equal(exitCode, 3);
  t.match(stderr, /^bridge-binding: bridge-binding: is for (\w+), and this node is (?!\1)\w+; use the image for/);
});

t.test("the image contains only the executables and licences and installs without privileges", async (t) => {
  const buildah = await storage(t);
  const file = join(root, "deploy/Dockerfile");
  await buildah(
    "build",
    "--isolation=chroot",
    `--platform=linux/${nativeArchitecture}`,
    "--file",
    file,
    "--tag=image",
    published,
  );
  const container = await buildah("from", "image");
  const rootfs = await buildah("mount", container);
  const inside = (await execa("find", [rootfs, "-type", "f", "-printf", "%m %u %P\\n"])).stdout.split("\n").sort();
  t.same(inside, [
    "644 root LICENSE",
    "644 root THIRD-PARTY-NOTICES",
    ...executables.map((name) => `755 root bin/${name}`),
  ]);
  const sizes = await Promise.all(executables.map(async (name) => (await stat(join(rootfs, "bin", name))).size));
  const size = sizes.reduce((sum, one) => sum + one, 0);
  t.ok(size <= 10_000_000, `${size} bytes`);

  const { OCIv1: image } = JSON.parse(await buildah("inspect", container));
  const { Entrypoint: entry, Cmd: words } = image.config as { Entrypoint: string[]; Cmd: string[] };
  t.same(
    [entry, words],
    [
      ["/bin/bridge-binding", "install"],
      ["--to", "/host/cni/bin"],
    ],
  );
  t.equal(image.architecture, nativeArchitecture);
  const to = await emptyDirectory(t);
  const run = async (...more: string[]): Promise<string[]> => {
    const mount = `--volume=${to}:/host/cni/bin`;
    const command = [
      "run",
      "--isolation=chroot",
      "--cap-drop=all",
      mount,
      container,
      "--",
      ...entry,
      ...words,
      ...more,
    ];
    return (await buildah(...command)).split("\n");
  };
  t.same(
    await run(),
    executables.map((name) => `${name}: ${version} installed`),
  );
  t.same(await contents(to), await release(native));
  t.same(
    await run(),
    executables.map((name) => `${name}: ${version} already there`),
  );
  t.same(
    await run("--uninstall"),
    executables.map((name) => `${name}: ${version} removed`),
  );
  t.same(await contents(to), {});
});

t.test("install --stay as a container's first process runs until SIGTERM and then exits at once", async (t) => {
  const [jail, to] = [await emptyDirectory(t), await emptyDirectory(t)];
  await execa("cp", ["-r", native, join(jail, "bin")]);
  await mkdir(join(jail, "proc"));
  await mkdir(join(jail, "cni"));
  // The node's /proc would show PIDs of another namespace.
  const script = `mount -n -t proc none ${jail}/proc; mount -n --bind ${to} ${jail}/cni; exec chroot ${jail} "$@"`;
  const stay = ["/bin/bridge-binding", "install", "--to", "/cni", "--stay"];
  const unshared = ["--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--"];
  const pod = execa("unshare", [...unshared, "sh", "-euc", script, "sh", ...stay], { reject: false });
  await new Promise((resolve) => pod.stdout.once("data", resolve));
  t.same(await contents(to), await release(native));
  const { stdout: first } = await execa("pgrep", ["--parent", `${pod.pid}`]);
  t.match(await readFile(`/proc/${first}/status`, "utf8"), /^NSpid:\t\d+\t1$/m);
  const sent = performance.now();
  process.kill(Number(first), "SIGTERM");
  t.equal((await pod).exitCode, 0);
  t.ok(performance.now() - sent < 10_000, "not only when its next round is due");
});

/** Returns a digest of every file below the directory. */
async function files(directory: string): Promise<Record<string, string>> {
  const { stdout } = await execa("sh", ["-c", "find . -type f | sort | xargs sha256sum"], { cwd: directory });
  return Object.fromEntries(stdout.split("\n").map((line) => [line.slice(68), line.slice(0, 64)]));
}

/**
 * Returns a function that runs buildah with its own images and containers, until the test ends.
 * With the isolation chroot, buildah needs neither a container runtime nor privileges.
 */
async function storage(t: Test): Promise<(...args: string[]) => Promise<string>> {
  const directory = await emptyDirectory(t);
  const options = [`--root=${directory}/root`, `--runroot=${directory}/run`, "--storage-driver=vfs"];
  const buildah = async (...args: string[]): Promise<string> => (await execa("buildah", [...options, ...args])).stdout;
  t.teardown(() => buildah("rm", "--all"));
  return buildah;
}
