// Tests `install`: the files that it installs, keeps and removes, and its output.
import { chmod, mkdir, readFile, rename, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import t from "tap";
import { dist } from "../../harness/plugin.ts";
import {
  contents,
  emptyDirectory,
  executables,
  install,
  otherRelease,
  plugins,
  release,
  version,
  writeExecutable,
} from "./node.ts";

const ours = await release();

t.test("install copies every executable next to it, ready to run, and prints the release", async (t) => {
  const to = await emptyDirectory(t);
  t.same(await install([to]), {
    status: 0,
    signal: undefined,
    lines: executables.map((name) => `${name}: ${version} installed`),
    stderr: "",
  });
  t.same(await contents(to), ours);
  t.match(Object.values(ours)[0], /^755 /);
  for (const name of plugins) {
    const { stdout } = await execa(join(to, name), {
      env: { CNI_COMMAND: "VERSION" },
      input: '{"cniVersion":"1.0.0"}',
    });
    t.match(JSON.parse(stdout), { cniVersion: /./, supportedVersions: ["0.1.0"] }, name);
  }
  t.match(await execa(join(to, "vmnet"), ["version"]), { stdout: `vmnet ${version}` });
});

t.test("each executable installs all of them", async (t) => {
  for (const name of executables) {
    const to = await emptyDirectory(t);
    await execa(join(dist, name), ["install", `--to=${to}/`]);
    t.same(await contents(to), ours, name);
  }
});

t.test("install does not touch executables that are already the same", async (t) => {
  const to = await emptyDirectory(t);
  await install([to]);
  const before = await stat(join(to, "bridge-binding"));
  const { status, lines } = await install([to]);
  t.same({ status, lines }, { status: 0, lines: executables.map((name) => `${name}: ${version} already there`) });
  const { ino, ctimeMs } = await stat(join(to, "bridge-binding"));
  t.same({ ino, ctimeMs }, { ino: before.ino, ctimeMs: before.ctimeMs });
});

t.test("install replaces an older or a newer release and names it", async (t) => {
  const to = await emptyDirectory(t);
  for (const other of ["0.0.9", "7.0.0"]) {
    const from = await otherRelease(t, other);
    await install([to], { from });
    t.same(await contents(to), await release(from));
    const { lines } = await install([to]);
    t.same(
      lines,
      executables.map((name) => `${name}: ${version} installed, in place of ${other}`),
    );
    t.same(await contents(to), ours);
  }
});

t.test("install replaces an executable with the same version but another content or mode", async (t) => {
  const to = await emptyDirectory(t);
  await install([to]);
  await chmod(join(to, "passt-binding"), 0o700);
  const content = await readFile(join(dist, "sriov-vfio"));
  content[4096]! ^= 1;
  await writeExecutable(join(to, "sriov-vfio"), content);
  t.same((await install([to])).lines, [
    `bridge-binding: ${version} already there`,
    `passt-binding: ${version} installed, in place of another ${version}`,
    `sriov-vfio: ${version} installed, in place of another ${version}`,
    `vmnet: ${version} already there`,
  ]);
  t.same(await contents(to), ours);
});

t.test("install replaces a running plugin, which continues to run", async (t) => {
  const [to, elsewhere] = [await emptyDirectory(t), await emptyDirectory(t)];
  await install([to], { from: await otherRelease(t, "0.0.9") });
  const running = execa(join(to, "bridge-binding"), ["install", "--to", elsewhere, "--stay"], { reject: false });
  await new Promise((resolve) => running.stdout.once("data", resolve));
  // `cp` would fail like this.
  await t.rejects(writeFile(join(to, "bridge-binding"), ""), { code: "ETXTBSY" });
  t.equal((await install([to])).status, 0);
  t.same(await contents(to), ours);
  running.kill("SIGTERM");
  t.equal((await running).exitCode, 0);
});

t.test("install and --uninstall do not touch other files", async (t) => {
  const to = await emptyDirectory(t);
  await writeFile(join(to, "bridge"), "another's");
  await writeFile(join(to, "bridge-binding.bak"), await readFile(join(dist, "bridge-binding")));
  await writeFile(join(to, ".bridge-binding.swp"), "an editor's");
  await mkdir(join(to, "directory"));
  const others = ["bridge", "bridge-binding.bak", ".bridge-binding.swp"];
  const before = await contents(to, others);
  await install([to]);
  await install([to, "--uninstall"]);
  t.same(await contents(to, others), before);
});

t.test("install changes nothing if another file has a plugin's name, and --uninstall keeps that file", async (t) => {
  const to = await emptyDirectory(t);
  await install([to], { from: await otherRelease(t, "0.0.9") });
  const aside = await emptyDirectory(t);
  const inTheWay: Record<string, [make: (path: string) => Promise<unknown>, words: string]> = {
    script: [(path) => writeFile(path, "#!/bin/sh\n"), "is none of these plugins"],
    link: [(path) => symlink(join(dist, "passt-binding"), path), "is a symbolic link"],
    directory: [(path) => mkdir(path), "is none of these plugins"],
    renamed: [
      async (path) => writeExecutable(path, await readFile(join(dist, "sriov-vfio"))),
      `is sriov-vfio ${version}`,
    ],
  };
  const path = join(to, "passt-binding");
  await rename(path, join(aside, "before"));
  for (const [kind, [make, words]] of Object.entries(inTheWay)) {
    await make(path);
    const before = await contents(to, ["bridge-binding", "sriov-vfio", "vmnet"]);
    const { status, lines, stderr } = await install([to]);
    t.same({ status, lines }, { status: 3, lines: [] }, kind);
    t.equal(stderr, `bridge-binding: ${path}: ${words}, and is not replaced; move it away; nothing was installed`);
    t.same(await contents(to, ["bridge-binding", "sriov-vfio", "vmnet"]), before, kind);
    if (kind === "renamed") {
      t.same((await install([to, "--uninstall"])).lines, [
        "bridge-binding: 0.0.9 removed",
        `passt-binding: is sriov-vfio ${version}, and is left as it is`,
        "sriov-vfio: 0.0.9 removed",
        "vmnet: 0.0.9 removed",
      ]);
      t.same(Object.keys(await contents(to)), ["passt-binding"]);
    }
    await rename(path, join(aside, kind));
  }
});

t.test("--uninstall removes every plugin, and a second --uninstall succeeds", async (t) => {
  const to = await emptyDirectory(t);
  await install([to]);
  t.same(
    (await install([to, "--uninstall"])).lines,
    executables.map((name) => `${name}: ${version} removed`),
  );
  t.same(await contents(to), {});
  const again = await install([to, "--uninstall"]);
  t.same([again.status, again.lines], [0, executables.map((name) => `${name}: not there`)]);
});

t.test("an installed plugin can uninstall itself and the others", async (t) => {
  const to = await emptyDirectory(t);
  await install([to]);
  t.same(
    (await install([to], { from: to })).lines,
    executables.map((name) => `${name}: ${version} already there`),
  );
  t.equal((await install([to, "--uninstall"], { from: to })).status, 0);
  t.same(await contents(to), {});
});

t.test("install refuses an executable for another architecture and installs nothing", async (t) => {
  const [from, to] = [await emptyDirectory(t), await emptyDirectory(t)];
  await install([from]);
  const foreign = await readFile(join(from, "sriov-vfio"));
  const [own, other] = process.arch === "arm64" ? ["aarch64", "x86_64"] : ["x86_64", "aarch64"];
  foreign.writeUInt16LE(other === "aarch64" ? 183 : 62, 18);
  await writeExecutable(join(from, "sriov-vfio"), foreign);
  const { status, lines, stderr } = await install([to], { from });
  t.same({ status, lines }, { status: 3, lines: [] });
  t.equal(stderr, `bridge-binding: sriov-vfio: is for ${other}, and this node is ${own}; use the image for ${own}`);
  t.same(await contents(to), {});
});

t.test("concurrent installs succeed and leave one whole release", async (t) => {
  const to = await emptyDirectory(t);
  const from = await otherRelease(t, "0.0.9");
  const all = await Promise.all([install([to]), install([to], { from }), install([to]), install([to], { from })]);
  t.same(
    all.map(({ status, stderr }) => [status, stderr]),
    all.map(() => [0, ""]),
  );
  const now = await contents(to);
  t.ok([JSON.stringify(ours), JSON.stringify(await release(from))].includes(JSON.stringify(now)), "one release, whole");
});

t.test("install from a renamed executable fails and installs nothing", async (t) => {
  const [from, to] = [await emptyDirectory(t), await emptyDirectory(t)];
  await writeExecutable(join(from, "bridge-binding"), await readFile(join(dist, "sriov-vfio")));
  const { status, stderr } = await install([to], { from });
  t.equal(status, 3);
  t.match(stderr, /bridge-binding: has another name than it was built with; nothing is there to be installed$/);
  t.same(await contents(to), {});
});
