// Makes an executable die, or a system call of its fail, at every point where it changes something:
// by strace, so that the released executable is tested.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Scope } from "./scope.ts";
import { seed } from "./seed.ts";

/** A system call, made by the process itself (what its children do is theirs). */
export interface SystemCall {
  /** Such as `sendto`. */
  readonly name: string;
  /** Which of the calls of that name it is, from 1, those that change nothing counted too. */
  readonly nth: number;
  /**
   * What strace shows of it, such as `write(3</proc/sys/net/ipv4/conf/all/arp_ignore>, "1", 1) =
   * 1`.
   */
  readonly text: string;
}

/** A system call that changes something outside the process. */
export type Mutation = SystemCall;

/** Calls by which a process can change something. */
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

/** strace's command line as far as the program's own, for calls of these names. */
const tracing = (names: readonly string[], output = "/dev/null", ...more: readonly string[]): readonly string[] => [
  ...["strace", "--quiet=all", "--decode-fds=path", "--string-limit=256"],
  ...[`--trace=${names.join(",")}`, `--output=${output}`, ...more, "--"],
];

/**
 * What reading looks like: questions to rtnetlink, files that are not made, what is said to the
 * caller, ioctls that ask.
 */
const reading = [
  // Every fourth of rtnetlink's types, RTM_GETLINK (18) on; strace names them only where it is in
  // the socket's own namespace.
  /nlmsg_type=(RTM_GET|0x[1-9a-f][26ae]\b)/,
  /^(open|openat)\((?!.*O_(CREAT|TRUNC))/,
  /^(write|writev)\((1|2)</,
  /^ioctl\(.*(TCGETS|TIOCG|FIONREAD|FIONBIO|FIOCLEX|SIOCG|TUNGET|NS_GET)/,
];

/** A run that is watched. */
export interface Watched {
  /** Pass it to callPlugin. */
  readonly under: readonly string[];
  /** The calls that changed something, in order. */
  mutations(): Promise<Mutation[]>;
  /** All calls of the names that were asked for, in order. */
  calls(): Promise<SystemCall[]>;
}

/**
 * Watches a run: calls of these names, or those that may change something; meddled with as for
 * {@link meddled}.
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
 * A run that strace meddles with, as its option --inject says, such as
 * `sendto:delay_enter=1000:when=3`: any number of them.
 */
export function meddled(...injections: readonly string[]): readonly string[] {
  const names = new Set(injections.flatMap((injection) => injection.split(":")[0]!.split(",")));
  return tracing([...names], "/dev/null", ...injections.map((injection) => `--inject=${injection}`));
}

/**
 * A run that is killed just before that call, as by `kill -9`: pass it to callPlugin as `under`;
 * its answer's signal is then SIGKILL.
 */
export function killedBefore({ name, nth }: SystemCall): readonly string[] {
  return meddled(`${name}:signal=SIGKILL:when=${nth}`);
}

/** A run in which that call is not made and fails with `errno`, such as EPERM. */
export function failingAt({ name, nth }: SystemCall, errno: string): readonly string[] {
  return meddled(`${name}:error=${errno}:when=${nth}`);
}

/**
 * A run in which that call, and all of its name after it, are not made and fail with `errno`:
 * undoing fails as well.
 */
export function failingFrom({ name, nth }: SystemCall, errno: string): readonly string[] {
  return meddled(`${name}:error=${errno}:when=${nth}+`);
}

/** A run that gets a signal while it makes that call, such as SIGTERM, which it may outlive. */
export function signalledDuring({ name, nth }: SystemCall, signal: string): readonly string[] {
  return meddled(`${name}:signal=${signal}:when=${nth}`);
}

/**
 * The points to go through: all of them, or, if FAULTS_EVERY in the environment is a number n,
 * every nth. The seed of the run chooses the first, or FAULTS_FROM. For a machine on which all
 * would take too long, such as the emulated ones of the lab: over several runs all have their turn.
 */
export function sampled<T>(t: { comment(message: string): void }, points: readonly T[]): readonly T[] {
  const every = Number(process.env["FAULTS_EVERY"] ?? 1);
  if (every === 1) return points;
  // At least one, of however few.
  const from = Number(process.env["FAULTS_FROM"] ?? seed % Math.max(1, Math.min(every, points.length)));
  const chosen = points.filter((_, position) => position % every === from);
  t.comment(`${chosen.length} of ${points.length} points: FAULTS_EVERY=${every} FAULTS_FROM=${from}`);
  return chosen;
}

/**
 * Where FAULTS_EVERY says nothing it is this: for a file whose points are too many for every day.
 * FAULTS_EVERY=1 goes through all.
 */
export function sampleUnlessTold(every: number): void {
  process.env["FAULTS_EVERY"] ??= `${every}`;
}

/** The calls that change something, of a log that strace wrote for one process. */
export function mutationsIn(log: string): Mutation[] {
  return callsIn(log).filter(({ text }) => !reading.some((pattern) => pattern.test(text)));
}

function callsIn(log: string): SystemCall[] {
  const counts = new Map<string, number>();
  const found: SystemCall[] = [];
  for (const text of log.split("\n")) {
    const name = /^(\w+)\(/.exec(text)?.[1];
    // A call that the kernel starts anew, such as a sysctl's while others hold rtnl: it comes
    // again, and may not do so in the next run.
    if (name === undefined || /= \? ERESTART/.test(text)) continue;
    const nth = (counts.get(name) ?? 0) + 1;
    counts.set(name, nth);
    found.push({ name, nth, text });
  }
  return found;
}
