// Runs programs on a node with a small /run that can be full or read-only: a tmpfs in a separate
// mount namespace, which lives as long as the process that holds it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { execa } from "execa";
import type { Scope } from "../../harness/scope.ts";

/** See {@link smallRun}. */
export interface RunDirectory {
  /** The command line before the program's, so that the program uses this /run. */
  readonly under: readonly string[];
  /** Uses all bytes. */
  fill(): Promise<void>;
  /** Uses all inodes; there is still space for bytes. */
  exhaust(): Promise<void>;
  /** Removes the files of `fill` and `exhaust`. */
  clear(): Promise<void>;
  /** `mount -o remount,ro /run`, and `rw`. */
  setWritable(writable: boolean): Promise<void>;
  /** The paths of all files in /run, except those of namespaces and of `permanentFiles`. */
  files(): Promise<string[]>;
}

/** Options of find that skip the empty files which the first call creates and no call removes. */
const permanentFiles =
  "-not -path '/run/kubevirt-cni-bindings/locks' -not -path '/run/kubevirt-cni-bindings/journals/*'";

/** The limits of the tmpfs: bytes in whole pages, and inodes. */
const size = 16 * 4096;
const files = 64;

/** Moves the named namespaces that exist now into the new /run. */
const script = `
set -e
new=$(mktemp -d)
mount -n -t tmpfs -o size=${size},nr_inodes=${files} none "$new"
mkdir "$new/netns"
mount -n --rbind /run/netns "$new/netns"
mount -n --move "$new" /run
rmdir "$new"
echo made
exec cat
`;

/** The mount namespace is deleted when `scope` ends. */
export async function smallRun(scope: Scope): Promise<RunDirectory> {
  const keeper = spawn("unshare", ["--mount", "--propagation=private", "--", "sh", "-c", script], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(keeper, "exit").then(() => {
    throw new Error("/run: unshare failed, or the process that holds the mount namespace was killed");
  });
  scope.teardown(async () => {
    keeper.stdin.end();
    await ended.catch(() => undefined);
  });
  await Promise.race([once(keeper.stdout, "data"), ended]);
  const under = ["nsenter", `--mount=/proc/${keeper.pid}/ns/mnt`, "--"];
  const sh = async (command: string): Promise<string> => {
    const [file, ...args] = [...under, "sh", "-c", command];
    return (await execa(file!, args)).stdout;
  };
  return {
    under,
    fill: async () => {
      await sh("cat /dev/zero >/run/filler 2>/dev/null || [ -s /run/filler ]");
    },
    exhaust: async () => {
      await sh(`mkdir /run/many && cd /run/many && ! touch $(seq ${files}) 2>/dev/null`);
    },
    clear: async () => {
      await sh("rm -rf /run/filler /run/many");
    },
    setWritable: async (writable) => {
      await sh(`mount -n -o remount,${writable ? "rw" : "ro"} /run`);
    },
    files: async () =>
      (await sh(`find /run -xdev -type f ${permanentFiles}`)).split("\n").filter((path) => path !== ""),
  };
}
