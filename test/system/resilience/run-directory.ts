// A node whose /run is small, full or read-only, which only those see who are called in it: a mount
// namespace of its own, gone with its keeper.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { execa } from "execa";
import type { Scope } from "../../harness/scope.ts";

/** See {@link smallRun}. */
export interface RunDirectory {
  /** The command line that another one's is appended to, so that it sees this /run. */
  readonly under: readonly string[];
  /** Leaves no room for a byte more. */
  fill(): Promise<void>;
  /** Leaves no room for a file more, but for what is in them. */
  exhaust(): Promise<void>;
  /** Takes away what the two above have put there. */
  clear(): Promise<void>;
  /** `mount -o remount,ro /run`, and `rw`. */
  setWritable(writable: boolean): Promise<void>;
  /** The paths of all files in /run, without those of namespaces. */
  files(): Promise<string[]>;
}

/** The empty files that the first call creates, and that stay. */
const lasting = "-not -path '/run/kubevirt-cni-bindings/locks' -not -path '/run/kubevirt-cni-bindings/journals/*'";

/** Whole pages, and files, that there is room for. */
const size = 16 * 4096;
const files = 64;

/** The named namespaces come along: they have to be there before. */
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

/** Makes one, in memory, gone when `scope` ends. */
export async function smallRun(scope: Scope): Promise<RunDirectory> {
  const keeper = spawn("unshare", ["--mount", "--propagation=private", "--", "sh", "-c", script], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(keeper, "exit").then(() => {
    throw new Error("/run: could not be made, or its keeper was killed");
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
    files: async () => (await sh(`find /run -xdev -type f ${lasting}`)).split("\n").filter((path) => path !== ""),
  };
}
