// Tests `install` with a bad directory, with failing system calls, and when it is killed: the files
// in the directory stay intact.
import { chmod, chown, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import t from "tap";
import { failingAt, killedBefore, meddled, type SystemCall, watch } from "../../harness/faults.ts";
import { contents, emptyDirectory, executables, install, otherRelease, release, version } from "./node.ts";

const ours = await release();
const theirs = await otherRelease(t, "0.0.9");
const before = await release(theirs);

/**
 * Returns a prefix for a command line, which runs `script` and the command in a new mount
 * namespace.
 */
const mounted = (script: string): string[] => [
  ...["unshare", "--mount", "--propagation=private", "--"],
  ...["sh", "-euc", `${script}\nexec "$@"`, "sh"],
];

for (const [what, to, words] of [
  ["is missing", "/nonexistent/bin", "is missing; make it, or mount the node's CNI directory there"],
  ["is a file", "/etc/passwd", "is a file, expected a directory"],
  ["is below a file", "/etc/passwd/bin", "is below something that is no directory; give the node's CNI directory"],
] as const)
  t.test(`install fails if the directory ${what}`, async (t) => {
    for (const more of [[], ["--uninstall"]]) {
      const { status, lines, stderr } = await install([to, ...more]);
      t.same({ status, lines }, { status: 3, lines: [] });
      t.ok(stderr.startsWith(`bridge-binding: ${to}: ${words}`), stderr);
    }
  });

t.test("install fails on a read-only directory unless it holds this release already", async (t) => {
  const to = await emptyDirectory(t);
  const under = mounted(`mount -n --bind ${to} ${to} && mount -n -o remount,bind,ro ${to}`);
  t.match(await install([to], { under }), { status: 3, stderr: `${to}: is read-only; mount it writable` });
  t.same(await contents(to), {});
  await install([to]);
  t.match(await install([to], { under }), { status: 0, lines: [`bridge-binding: ${version} already there`] });
  t.match(await install([to, "--uninstall"], { under }), { status: 3, stderr: `${to}: is read-only` });
  t.same(await contents(to), ours);
});

t.test("install changes nothing in a directory without room for all plugins", async (t) => {
  const to = await emptyDirectory(t);
  // There is room for the existing files and for one more.
  const script = `mount -n -t tmpfs -o size=9m,mode=755 none ${to}; cp ${theirs}/* ${to}`;
  const shown = `"$@" || echo "status $?"; cd ${to}; ls -A; sha256sum * | cut -c 1-64; exit 0; true`;
  const { lines, stderr } = await install([to], { under: mounted(`${script}; ${shown}`) });
  t.equal(stderr.split(" (")[0], `bridge-binding: ${to}: is full, and is as it was; free space on the node`);
  t.same(lines, ["status 3", ...executables, ...Object.values(before).map((entry) => entry.slice(4))]);
});

t.test("install tells a user without write permission what to do", async (t) => {
  const to = await emptyDirectory(t);
  const under = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
  const from = await otherRelease(t, version);
  t.match(await install([to], { under, from }), { status: 3, stderr: `${to}: may not be written; run as the user` });
  t.same(await contents(to), {});
});

t.test("install succeeds as root without capabilities if root owns the directory", async (t) => {
  const to = await emptyDirectory(t);
  const under = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"];
  t.match(await install([to], { under }), { status: 0, stderr: "" });
  t.same(await contents(to), ours);
  await chown(to, 65534, 65534);
  await chmod(to, 0o755);
  t.match(await install([to, "--uninstall"], { under }), { status: 3, stderr: "may not be written" }, "it has none");
});

t.test("install refuses executables for another architecture than the node's kernel reports", async (t) => {
  const [to, fake] = [await emptyDirectory(t), join(await emptyDirectory(t), "arch")];
  await writeFile(fake, "riscv64\n");
  const { status, stderr } = await install([to], { under: mounted(`mount -n --bind ${fake} /proc/sys/kernel/arch`) });
  t.equal(status, 3);
  t.match(stderr, /^bridge-binding: bridge-binding: is for \w+, and this node is riscv64; use the image for riscv64$/);
});

/**
 * Returns the system calls that change the directory. Of the many writes for the copies, returns
 * only one in the middle.
 */
async function points(t: Parameters<typeof watch>[0]): Promise<SystemCall[]> {
  const to = await emptyDirectory(t);
  await install([to], { from: theirs });
  const names = ["open", "openat", "write", "fchmod", "fsync", "rename", "renameat", "renameat2"];
  const watched = await watch(t, names);
  await install([to], { under: watched.under });
  const calls = (await watched.calls()).filter(
    ({ text }) => !/^open(at)?\((?!.*O_CREAT)/.test(text) && !/^write\([12]</.test(text),
  );
  const writes = calls.filter(({ name }) => name === "write");
  return calls.filter((call) => call.name !== "write" || call === writes[40]);
}

t.test("install that is killed at any call leaves each plugin intact, and the next install cleans up", async (t) => {
  const all = await points(t);
  // Each copy takes four calls: create, set the mode, fsync, rename. The other two are the write
  // and the fsync of the directory.
  t.equal(all.length, executables.length * 4 + 2, all.map(({ text }) => text).join("\n"));
  for (const call of all) {
    const to = await emptyDirectory(t);
    await install([to], { from: theirs });
    t.equal((await install([to], { under: killedBefore(call) })).signal, "SIGKILL", call.text);
    const left = await contents(to);
    for (const name of executables)
      t.ok([before[name], ours[name]].includes(left[name]!), `${name} is whole: ${call.text}`);
    t.match(await install([to]), { status: 0, stderr: "" });
    t.same(await contents(to), ours, call.text);
  }
});

t.test("install that fails at any call leaves no partial copy and each plugin intact", async (t) => {
  for (const call of await points(t))
    for (const errno of ["EIO", "EDQUOT"]) {
      const to = await emptyDirectory(t);
      await install([to], { from: theirs });
      const { status, stderr } = await install([to], { under: failingAt(call, errno) });
      t.same({ status, named: stderr.includes(errno) }, { status: 3, named: true }, `${errno} ${call.text}`);
      const left = await contents(to);
      t.same(Object.keys(left), executables, call.text);
      for (const name of executables)
        t.ok([before[name], ours[name]].includes(left[name]!), `${name} is whole: ${call.text}`);
    }
});

t.test("install syncs all copies before the first rename, and the directory after the last", async (t) => {
  const to = await emptyDirectory(t);
  const watched = await watch(t, ["fsync", "rename", "renameat", "renameat2"]);
  await install([to], { under: watched.under });
  const order = (await watched.calls()).map(({ name }) => name.replace(/at.*/, ""));
  t.same(order, [...executables.map(() => "fsync"), ...executables.map(() => "rename"), "fsync"]);
});

t.test("install waits for another install", async (t) => {
  const to = await emptyDirectory(t);
  const slow = install([to], { under: meddled("rename,renameat,renameat2:delay_enter=300000") });
  const [first, second] = [await slow, await install([to])];
  t.match([first.status, second.status], [0, 0]);
  const holder = execa("flock", [to, "sh", "-c", "echo held; exec sleep 1"]);
  await new Promise((resolve) => holder.stdout.once("data", resolve));
  const started = performance.now();
  t.equal((await install([to])).status, 0);
  t.ok(performance.now() - started > 500, "until the lock was free");
  await holder;
});
