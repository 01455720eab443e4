// The table of system calls, the errnos that each can return, and the expected outcome. Sources:
// the manual pages of section 2, and the kernel's proc_sysctl.c for files in /proc/sys.
import type { SystemCall } from "../../harness/faults.ts";

/**
 * The expected outcome of a failed system call.
 *
 * - `reported`: the CNI call fails, and its error names the errno.
 * - `survived`: the CNI call succeeds.
 * - `either`: one of the two.
 * - `aborted`: the process aborts, because it would continue in the wrong namespace.
 */
export type Outcome = "reported" | "survived" | "either" | "aborted";

/** A system call that is made to fail. */
export interface Failure {
  readonly call: SystemCall;
  readonly errno: string;
  readonly outcome: Outcome;
  /** The pattern that the error message must match. */
  readonly says: RegExp;
}

/** For calls whose text matches: the errnos of each outcome. */
type Row = readonly [text: RegExp, outcomes: Partial<Record<Outcome, string>>, says?: RegExp];

/** The first row that matches counts. */
const rows: readonly Row[] = [
  // ---- standard input, output and error
  [/^read\(0</, { reported: "EIO", survived: "EINTR" }],
  [/^write\(1</, { reported: "EPIPE EIO ENOSPC", survived: "EINTR EAGAIN" }],
  [/^write\(2</, { survived: "EPIPE EIO ENOSPC EINTR EAGAIN" }],

  // ---- namespaces
  [
    /^openat\(AT_FDCWD[^,]*, "\/(run\/netns|proc\/self\/fd)\//,
    { reported: "EACCES EMFILE ENFILE ENOMEM", survived: "EINTR" },
  ],
  [/^openat\(AT_FDCWD[^,]*, "\/proc\/thread-self\/ns/, { reported: "EACCES EMFILE ENFILE ENOMEM", survived: "EINTR" }],
  [/^flock\(\d+<\/run\/netns\//, { reported: "ENOLCK ENOMEM", survived: "EINTR EAGAIN" }],
  [/^setns\(\d+<\/run\/netns\//, { reported: "EPERM ENOMEM" }],
  [/^setns\(/, { aborted: "EPERM ENOMEM" }],
  // Whether the node has a file that changes the roots.
  [/^newfstatat\(.*"\/etc\//, { reported: "EACCES ENOMEM" }],
  // Without the node's /proc, the plugin cannot know which namespace is the node's.
  [/^newfstatat\(.*"\/proc\/1\/ns\/net"/, { survived: "EACCES ENOMEM" }],
  [/^newfstatat\(/, { reported: "EACCES ENOMEM" }],

  // ---- sysctls
  [/^access\(.*\/proc\/sys\/.*W_OK/, { reported: "EROFS" }, /read-only/],
  [/^openat\(AT_FDCWD[^,]*, "\/proc\/sys\/.*O_RDONLY/, { reported: "EACCES EMFILE ENFILE ENOMEM", survived: "EINTR" }],
  [
    /^openat\(AT_FDCWD[^,]*, "\/proc\/sys\//,
    { reported: "EACCES EPERM EROFS EMFILE ENFILE ENOMEM", survived: "EINTR" },
  ],
  [/^read\(\d+<\/proc\/sys\//, { reported: "EPERM EACCES ENOMEM", survived: "EINTR" }],
  [/^write\(\d+<\/proc\/sys\//, { reported: "EPERM EACCES EINVAL EBUSY ENOMEM EAGAIN", survived: "EINTR" }],

  // ---- the tap
  [
    /^openat\(AT_FDCWD[^,]*, "\/dev\/net\/tun"/,
    { reported: "ENOENT ENODEV ENXIO EACCES EPERM EMFILE ENFILE", survived: "EINTR" },
  ],
  [/^ioctl\(.*TUNSETIFF/, { reported: "EPERM EBUSY EINVAL ENOMEM" }],
  [/^ioctl\(.*TUNSET/, { reported: "EPERM EINVAL EBADFD" }],

  // ---- rtnetlink
  [/^socket\(/, { reported: "EMFILE ENFILE ENOBUFS ENOMEM EPERM" }],
  [/^setsockopt\(.*STRICT_CHK/, { survived: "ENOPROTOOPT" }],
  [/^setsockopt\(.*SO_RCVBUFFORCE/, { survived: "EPERM" }],
  // The option has two numbers; kernels before 5.1 know only the old one.
  [/^setsockopt\(.*SO_RCVTIMEO/, { reported: "ENOMEM", survived: "ENOPROTOOPT" }],
  [/^setsockopt\(/, { reported: "ENOPROTOOPT ENOMEM" }],
  [/^getsockopt\(/, { survived: "ENOPROTOOPT" }],
  [/^connect\(/, { reported: "EPERM ENOMEM" }],
  [/^sendto\(/, { reported: "EPERM ENOBUFS ENOMEM EAGAIN", survived: "EINTR" }],
  // The kernel has made the change already; only its answer is lost.
  [/^recvfrom\(/, { reported: "ENOBUFS ENOMEM EAGAIN", survived: "EINTR" }],

  // ---- the journal
  // Without a lock file on a full file system, nothing can be recorded either.
  [/^openat\(.*"locks"/, { reported: "EACCES EIO EMFILE ENFILE", survived: "EINTR ENOSPC EDQUOT EROFS" }],
  [/^fcntl\(.*F_OFD_SETLK/, { reported: "ENOLCK EIO", survived: "EINTR" }],
  [/^openat2\(/, { reported: "EACCES EIO EMFILE ENFILE ENOMEM" }],
  [/^symlinkat\(/, { reported: "ENOSPC EDQUOT EROFS EACCES EPERM EIO" }],
  [/^openat\(.*O_DIRECTORY/, { reported: "EACCES EIO EMFILE ENFILE ENOMEM" }],
  [/^openat\(.*O_PATH/, { reported: "EACCES EIO EMFILE ENFILE ENOMEM" }],
  [/^openat\(.*O_CREAT/, { reported: "ENOSPC EDQUOT EROFS EACCES EPERM EIO EMFILE ENFILE", survived: "EINTR" }],
  [/^openat\(.*\/journal/, { reported: "EACCES EIO EMFILE ENFILE ENOMEM", survived: "EINTR" }],
  [/^read\(.*\/journal/, { reported: "EIO", survived: "EINTR" }],
  [/^write\(.*\/journal/, { reported: "ENOSPC EDQUOT EFBIG EIO", survived: "EINTR" }],
  [/^getdents64\(/, { reported: "EIO ENOMEM" }],
  [/^mkdirat\(/, { reported: "ENOSPC EDQUOT EROFS EACCES EPERM EIO" }],
  [/^renameat\(/, { reported: "ENOSPC EDQUOT EROFS EACCES EPERM EBUSY EIO" }],
  // The file does not exist.
  [/^unlinkat\(.*ENOENT/, { reported: "EACCES EPERM EBUSY EIO", survived: "EROFS" }],
  [/^unlinkat\(/, { reported: "EROFS EACCES EPERM EBUSY EIO" }],
];

/** The names of the system calls in the table. */
export const watchedCalls = [...new Set(rows.map(([text]) => /^\^(\w+)/.exec(text.source)![1]!)), "ioctl"];

/** Not made to fail: calls that fail for one reason only, and the boot's ID. */
const neverFails = /^ioctl\(.*NS_GET_(NSTYPE|USERNS)|^fcntl\(.*F_GETFD|^openat\(.*boot_id|^read\(.*boot_id/;

/**
 * All failures of the calls, in order.
 *
 * @throws if the table has no row for a call.
 */
export function failuresOf(calls: readonly SystemCall[]): Failure[] {
  const own = calls.slice(calls.findIndex(({ text }) => text.startsWith("read(0<")));
  return own.filter(({ text }) => !neverFails.test(text)).flatMap((call) => failuresOfOne(call));
}

function failuresOfOne(call: SystemCall): Failure[] {
  const row = rows.find(([text]) => text.test(call.text));
  if (row === undefined) throw new Error(`${call.text}: no row of the table matches this call; add one`);
  const [, outcomes, says] = row;
  return Object.entries(outcomes).flatMap(([outcome, errnos]) =>
    errnos.split(" ").map((errno) => ({ call, errno, outcome: outcome as Outcome, says: says ?? new RegExp(errno) })),
  );
}
