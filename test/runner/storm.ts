// Runs a command on a machine with an empty /run and /var/log: test/runner/storm.ts COMMAND
// [ARGUMENT]....
//
// They are file systems of a mount namespace, and end with the command. Returns its exit status.
import { spawnSync } from "node:child_process";

const script = 'for directory in /run /var/log; do mount -n -t tmpfs none "$directory" || exit; done; exec "$@"';

const { status } = spawnSync("unshare", ["--mount", "sh", "-c", script, "sh", ...process.argv.slice(2)], {
  stdio: "inherit",
});
process.exitCode = status ?? 1;
