// Injects faults at every point where an executable changes something.
//
// strace kills the executable or makes one of its system calls fail (`--inject`). The executable
// under test is therefore the released one, without test hooks.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Scope } from "./scope.ts";
import { seed } from "./seed.ts";

/** A system call of the process itself. Calls of its children are not traced. */
export interface SystemCall {
  /** For example `sendto`. */
  readonly name: string;
  /** The position among all calls of that name, from 1. Calls that change nothing count too. */
  readonly nth: number;
  /**
   * The line that strace writes, such as `write(3</proc/sys/net/ipv4/conf/all/arp_ignore>, "1", 1)
   * = 1`.
   */
  readonly text: string;
}

/** A system call that changes something outside the process. */
export type Mutation = SystemCall;

/** Names of system calls that can change something. */
const calls = [
  ...["sendto", "sendmsg", "sendmmsg", "write", "writev", "pwrite64", "ioctl"],
  ...[
    "open",
    "openat",
    "creat",
    "mkdir",
    "mkdirat",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
  ],
  ...[
    "unlink",
    "unlinkat",
    "rmdir",
    "truncate",
    "ftruncate",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "fchown",
    "fchownat",
  ],
];

/** The command line of strace up to and including `--`, for system calls of these names. */
const tracing = (names: readonly string[], output = "/dev/null", ...more: readonly string[]): readonly string[] => [
  ...["strace", "--quiet=all", "--decode-fds=path", "--string-limit=256"],
  ...[`--trace=${names.join(",")}`, `--output=${output}`, ...more, "--"],
];

/**
 * Patterns of calls that change nothing: rtnetlink requests that read, files opened without O_CREAT
 * or O_TRUNC, output to the caller, ioctls that read.
 */
const reading = [
  // RTM_GETLINK is 18, and every fourth type from there on is a GET request. strace prints the name
  // of a type only if strace is in the network namespace of the socket, and otherwise the number.
  /nlmsg_type=(RTM_GET|0x[1-9a-f][26ae]\b)/,
  /^(open|openat)\((?!.*O_(CREAT|TRUNC))/,
  /^(write|writev)\((1|2)</,
  // The file of the locks, and that of each journal, are created once and stay empty.
  /^openat\(\d+<[^>]*\/kubevirt-cni-bindings>, "locks"/,
  /^(openat|mkdirat)\(\d+<[^>]*\/kubevirt-cni-bindings(\/journals)?>, /,
  /^symlinkat\("[^"]*", \d+<[^>]*\/kubevirt-cni-bindings\/journals>, /,
  /^ioctl\(.*(TCGETS|TIOCG|FIONREAD|FIONBIO|FIOCLEX|SIOCG|TUNGET|NS_GET)/,
];

/** A traced run. */
export interface Watched {
  /** The value for `Call.under`. */
  readonly under: readonly string[];
  /** The calls that changed something, in order. */
  mutations(): Promise<Mutation[]>;
  /** All calls of the traced names, in order. */
  calls(): Promise<SystemCall[]>;
}

/**
 * Traces a run: calls of `names`, by default those that may change something. `injections` are as
 * for {@link meddled}.
 */
export async function watch(
  scope: Scope,
  names: readonly string[] = calls,
  injections: readonly string[] = [],
): Promise<Watched> {
  const directory = await mkdtemp(join(tmpdir(), "strace-"));
  scope.teardown(() => rm(directory, { recursive: true }));
  const log = join(directory, "log");
  return {
    under: tracing(names, log, ...injections.map((injection) => `--inject=${injection}`)),
    mutations: async () => mutationsIn(await readFile(log, "utf8")),
    calls: async () => callsIn(await readFile(log, "utf8")),
  };
}

/**
 * Returns the value of `Call.under` for a run with faults. Each injection is a value of strace's
 * option --inject, such as `sendto:delay_enter=1000:when=3`.
 */
export function meddled(...injections: readonly string[]): readonly string[] {
  const names = new Set(injections.flatMap((injection) => injection.split(":")[0]!.split(",")));
  return tracing([...names], "/dev/null", ...injections.map((injection) => `--inject=${injection}`));
}

/**
 * For a run that gets SIGKILL just before that call, as from `kill -9`. The answer's `signal` is
 * then SIGKILL.
 */
export function killedBefore({ name, nth }: SystemCall): readonly string[] {
  return meddled(`${name}:signal=SIGKILL:when=${nth}`);
}

/**
 * For a run in which the kernel does not execute that call, and the call fails with `errno`, such
 * as EPERM.
 */
export function failingAt({ name, nth }: SystemCall, errno: string): readonly string[] {
  return meddled(`${name}:error=${errno}:when=${nth}`);
}

/**
 * For a run in which that call and all later calls of its name fail with `errno`. The plugin's
 * revert fails too.
 */
export function failingFrom({ name, nth }: SystemCall, errno: string): readonly string[] {
  return meddled(`${name}:error=${errno}:when=${nth}+`);
}

/** For a run that gets a signal, such as SIGTERM, during that call. The process may survive it. */
export function signalledDuring({ name, nth }: SystemCall, signal: string): readonly string[] {
  return meddled(`${name}:signal=${signal}:when=${nth}`);
}

/**
 * Returns the fault points to test: all of them, or every nth if FAULTS_EVERY in the environment is
 * n.
 *
 * For machines on which all points would take too long, such as the lab's emulated ones.
 * FAULTS_FROM is the index of the first point. Its default depends on the run's seed, so that
 * different runs test different points.
 */
export function sampled<T>(t: { comment(message: string): void }, points: readonly T[]): readonly T[] {
  const every = Number(process.env["FAULTS_EVERY"] ?? 1);
  if (every === 1) return points;
  // The modulus is at most the number of points, so that at least one point is chosen.
  const from = Number(process.env["FAULTS_FROM"] ?? seed % Math.max(1, Math.min(every, points.length)));
  const chosen = points.filter((_, position) => position % every === from);
  t.comment(`${chosen.length} of ${points.length} points: FAULTS_EVERY=${every} FAULTS_FROM=${from}`);
  return chosen;
}

/**
 * Sets FAULTS_EVERY to `every` if the environment does not set it.
 *
 * For test files with too many points for every run. FAULTS_EVERY=1 tests all points.
 */
export function sampleByDefault(every: number): void {
  process.env["FAULTS_EVERY"] ??= `${every}`;
}

/** Returns the calls that change something, from a log that strace wrote for one process. */
export function mutationsIn(log: string): Mutation[] {
  return callsIn(log).filter(({ text }) => !reading.some((pattern) => pattern.test(text)));
}

function callsIn(log: string): SystemCall[] {
  const counts = new Map<string, number>();
  const found: SystemCall[] = [];
  for (const text of log.split("\n")) {
    const name = /^(\w+)\(/.exec(text)?.[1];
    // The kernel restarts this call, for example a write to a sysctl while another process holds
    // RTNL. The restarted call has a line of its own. It is not counted, because the next run may
    // not have it.
    if (name === undefined || /= \? ERESTART/.test(text)) continue;
    const nth = (counts.get(name) ?? 0) + 1;
    counts.set(name, nth);
    found.push({ name, nth, text });
  }
  return found;
}
