// Stops an executable in the middle of its work, so that something can be done to the world
// meanwhile.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { meddled, type SystemCall } from "../../harness/faults.ts";
import type { Scope } from "../../harness/scope.ts";

/** A run that stops as soon as it has made that call: pass `under` to callPlugin. */
export interface Paused {
  readonly under: readonly string[];
  /** When it has stopped; rejects where it does not within 10 s. */
  reached(): Promise<void>;
  resume(): Promise<void>;
}

/** Prepares one. */
export async function pausedAfter(scope: Scope, { name, nth }: SystemCall): Promise<Paused> {
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
      throw new Error(`${name} ${nth}: did not come within 10 s`);
    },
    resume: async () => {
      const tracer = (await readFile(pid, "utf8")).trim();
      const children = await readFile(`/proc/${tracer}/task/${tracer}/children`, "utf8");
      process.kill(Number(children.trim()), "SIGCONT");
    },
  };
}
