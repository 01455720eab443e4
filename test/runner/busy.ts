// Runs a command on a machine that is not empty: test/runner/busy.ts COMMAND [ARGUMENT]....
//
// User and group 107 have names, each plugin's directory holds records of other pods, namespaces
// are created and deleted, and the load is 8. All of it ends with the command. Returns the exit
// status of the command.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const plugins = ["bridge-binding", "passt-binding", "sriov-vfio"] as const;

/** Runs in a mount namespace of its own, so that the names end with it. */
const script = `
mount --bind "$BUSY/passwd" /etc/passwd && mount --bind "$BUSY/group" /etc/group || exit
for n in 1 2 3 4 5 6 7 8; do (while kill -0 $$; do :; done) 2>/dev/null & done
(while kill -0 $$; do ip netns add busy-$$; ip -n busy-$$ link set lo up; ip netns del busy-$$; done) 2>/dev/null &
"$@"
`;

const directory = mkdtempSync(join(tmpdir(), "busy-"));
const records = plugins.map((plugin) => `/run/${plugin}/busy-${process.pid}:net1.json`);
try {
  writeFileSync(join(directory, "passwd"), `${readFileSync("/etc/passwd", "utf8")}busy-user:x:107:107::/:/bin/false\n`);
  writeFileSync(join(directory, "group"), `${readFileSync("/etc/group", "utf8")}busy-group:x:107:\n`);
  for (const record of records) leaveRecord(record);
  const { status } = spawnSync("unshare", ["--mount", "sh", "-c", script, "sh", ...process.argv.slice(2)], {
    cwd: process.cwd(),
    env: { ...process.env, BUSY: directory },
    stdio: "inherit",
  });
  process.exitCode = status ?? 1;
} finally {
  rmSync(directory, { recursive: true });
  for (const record of records) rmSync(record, { force: true });
}

/** A record of a pod that no longer exists. */
function leaveRecord(path: string): void {
  mkdirSync(join(path, ".."), { recursive: true, mode: 0o700 });
  const netns = { path: "/run/netns/somebody-elses", device: 4, inode: 4_026_539_999 };
  const names = { network: "somebody-elses", containerId: `busy-${process.pid}`, ifname: "net1" };
  writeFileSync(path, JSON.stringify({ format: 1, ...names, netns, time: 1, changes: [] }));
}
