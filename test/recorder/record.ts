// Records each call that a test makes of one of our executables: its answer, and with strace what
// it writes to netlink, sysctls and files.
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { maskedCall, maskedDocument, maskedText } from "./mask.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** The directory for records. If undefined, nothing is recorded. */
const directory = process.env["RECORD"];

const traced = "sendto,write,open,openat,mkdir,mkdirat,rename,renameat,unlink,unlinkat,ioctl,setns,execve,flock";

export interface Recording {
  /** A prefix for the executable's command line. */
  readonly under: readonly string[];
  /** Writes the record. `call` is the question: verb, executable, environment, netconf. */
  end(call: readonly string[], answer: { readonly status: number | undefined; readonly stdout: string }): void;
}

const nothing: Recording = { under: [], end: () => undefined };

/**
 * Begins to record one call.
 *
 * A call under another program, such as strace for a fault, is recorded by its answer alone. If
 * `under` is undefined, the executable is not one of ours and the call is not recorded.
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
  // The first line is the execve with which strace starts the executable.
  const effects = lines.slice(1).flatMap((line) => maskedCall(line) ?? []);
  // While the executable waits for a lock, it repeats the same call.
  return effects.filter((effect, at) => effect !== effects[at - 1]);
}

/** Returns the test file's path below the folder of its suite, because that folder may move. */
function testFile(): string {
  const path = relative(root, process.argv[1] ?? "unknown");
  return path.replace(/^test\/(system\/)?/, "").replace(/\.test\.ts$/, "");
}
