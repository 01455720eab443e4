// Records each call that a test makes of one of our executables: how it ended, and what it sent to
// netlink, sysctls and files, by strace.
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { maskedCall, maskedDocument, maskedText } from "./mask.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Where to record; undefined: not at all. */
const directory = process.env["RECORD"];

const traced = "sendto,write,open,openat,mkdir,mkdirat,rename,renameat,unlink,unlinkat,ioctl,setns,execve,flock";

/** A call that is being recorded. */
export interface Recording {
  /** Goes before the executable's own command line. */
  readonly under: readonly string[];
  /** Writes the record. `call` says what was asked. */
  end(call: readonly string[], answer: { readonly status: number | undefined; readonly stdout: string }): void;
}

const nothing: Recording = { under: [], end: () => undefined };

/**
 * Begins to record one call. A call that runs under another program, such as a fault's strace, is
 * recorded by its answer alone; one of another's program, whose `under` is undefined, not at all.
 */
export function beginRecording(under: readonly string[] | undefined): Recording {
  if (directory === undefined || under === undefined) return nothing;
  const isFree = under.length === 0;
  const place = mkdtempSync(join(tmpdir(), "recording-"));
  const trace = join(place, "trace");
  const strace = ["strace", "--quiet=all", "--decode-fds=path", "--string-limit=65536"];
  return {
    under: isFree ? [...strace, `--trace=${traced}`, `--output=${trace}`, "--"] : [],
    end(call, { status, stdout }) {
      const effects = isFree ? effectsIn(trace) : undefined;
      rmSync(place, { recursive: true });
      const line = {
        call: call.map((word) => maskedText(word).replace(/^\d{2,}$/, "<pid>")),
        status: status ?? "signal",
        answer: maskedDocument(stdout),
        effects,
      };
      const file = join(directory, `${testFile()}.jsonl`);
      mkdirSync(dirname(file), { recursive: true });
      appendFileSync(file, `${JSON.stringify(line)}\n`);
    },
  };
}

function effectsIn(trace: string): string[] {
  const lines = readFileSync(trace, "utf8").split("\n");
  // The first execve is strace's own.
  const effects = lines.slice(1).flatMap((line) => maskedCall(line) ?? []);
  // A lock that is waited for is asked for again and again.
  return effects.filter((effect, at) => effect !== effects[at - 1]);
}

/** The test file's path below the folder of its suite, which may move. */
function testFile(): string {
  const path = relative(root, process.argv[1] ?? "unknown");
  return path.replace(/^test\/(system\/)?/, "").replace(/\.test\.ts$/, "");
}
