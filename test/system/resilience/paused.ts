// Stops an executable after a given system call (strace injects SIGSTOP), so that a test can change
// the system before the executable continues.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { meddled, type SystemCall } from "../../harness/faults.ts";
import type { Scope } from "../../harness/scope.ts";

/** A run that stops after one system call: pass `under` to callPlugin. */
export interface PausedRun {
  readonly under: readonly string[];
  /** Resolves when the process has stopped; rejects after 10 s. */
  reached(): Promise<void>;
  resume(): Promise<void>;
}

export async function pauseAfter(scope: Scope, { name, nth }: SystemCall): Promise<PausedRun> {
  const directory = await mkdtemp(join(tmpdir(), "paused-"));
  scope.teardown(() => rm(directory, { recursive: true }));
  const [log, pid] = [join(directory, "log"), join(directory, "pid")];
  const strace = meddled(`${name}:signal=SIGSTOP:when=${nth}`).map((word) =>
    word === "--output=/dev/null" ? `--output=${log}` : word,
  );
  return {
    under: ["sh", "-c", 'echo $$ >"$0" && exec "$@"', pid, ...strace],
    reached: async () => {
      for (const deadline = Date.now() + 10_000; Date.now() < deadline; await sleep(2))
        if (/stopped by SIGSTOP/.test(await readFile(log, "utf8").catch(() => ""))) return;
      throw new Error(`${name} ${nth}: the process did not stop there within 10 s`);
    },
    resume: async () => {
      const tracer = (await readFile(pid, "utf8")).trim();
      const children = await readFile(`/proc/${tracer}/task/${tracer}/children`, "utf8");
      process.kill(Number(children.trim()), "SIGCONT");
    },
  };
}
