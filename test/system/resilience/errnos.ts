// Which system call of ours can fail with which errno, and what has to come of it: by the manual
// pages of section 2, and for files in /proc/sys by the kernel's proc_sysctl.c.
import type { SystemCall } from "../../harness/faults.ts";

/**
 * What has to come of a failure. `told`: the call fails, and names it. `outlived`: it succeeds all
 * the same. `either`: one of the two. `ended`: the process ends at once, rather than go
 * on in the wrong namespace.
 */
export type Outcome = "told" | "outlived" | "either" | "ended";

/** A system call that fails. */
export interface Failure {
  readonly call: SystemCall;
  readonly errno: string;
  readonly outcome: Outcome;
  /** What has to be told. */
  readonly says: RegExp;
}

/** Of calls whose text matches: errnos for each outcome. */
type Row = readonly [text: RegExp, outcomes: Partial<Record<Outcome, string>>, says?: RegExp];

/** The first that matches counts. */
const rows: readonly Row[] = [
  // ---- the call and its answer
  [/^read\(0</, { told: "EIO", outlived: "EINTR" }],
  [/^write\(1</, { told: "EPIPE EIO ENOSPC", outlived: "EINTR EAGAIN" }],
  [/^write\(2</, { outlived: "EPIPE EIO ENOSPC EINTR EAGAIN" }],

  // ---- namespaces
  [/^open\("\/(run\/netns|proc\/self\/fd)\//, { told: "EACCES EMFILE ENFILE ENOMEM", outlived: "EINTR" }],
  [/^open\("\/proc\/thread-self\/ns/, { told: "EACCES EMFILE ENFILE ENOMEM", outlived: "EINTR" }],
  [/^flock\(\d+<\/run\/netns\//, { told: "ENOLCK ENOMEM", outlived: "EINTR EAGAIN" }],
  [/^setns\(\d+<\/run\/netns\//, { told: "EPERM ENOMEM" }],
  [/^setns\(/, { ended: "EPERM ENOMEM" }],
  // Without a /proc of the node, nothing tells which namespace is the node's.
  [/^newfstatat\(.*"\/proc\/1\/ns\/net"/, { outlived: "EACCES ENOMEM" }],
  [/^newfstatat\(/, { told: "EACCES ENOMEM" }],

  // ---- sysctls
  [/^access\(.*\/proc\/sys\/.*W_OK/, { told: "EROFS" }, /read-only/],
  [/^open\("\/proc\/sys\/.*O_RDONLY/, { told: "EACCES EMFILE ENFILE ENOMEM", outlived: "EINTR" }],
  [/^open\("\/proc\/sys\//, { told: "EACCES EPERM EROFS EMFILE ENFILE ENOMEM", outlived: "EINTR" }],
  [/^read\(\d+<\/proc\/sys\//, { told: "EPERM EACCES ENOMEM", outlived: "EINTR" }],
  [/^write\(\d+<\/proc\/sys\//, { told: "EPERM EACCES EINVAL EBUSY ENOMEM EAGAIN", outlived: "EINTR" }],

  // ---- the tap
  [/^open\("\/dev\/net\/tun"/, { told: "ENOENT ENODEV ENXIO EACCES EPERM EMFILE ENFILE", outlived: "EINTR" }],
  [/^ioctl\(.*TUNSETIFF/, { told: "EPERM EBUSY EINVAL ENOMEM" }],
  [/^ioctl\(.*TUNSET/, { told: "EPERM EINVAL EBADFD" }],

  // ---- rtnetlink
  [/^socket\(/, { told: "EMFILE ENFILE ENOBUFS ENOMEM EPERM" }],
  [/^setsockopt\(.*STRICT_CHK/, { outlived: "ENOPROTOOPT" }],
  [/^setsockopt\(.*SO_RCVBUFFORCE/, { outlived: "EPERM" }],
  // There are two of it, of which kernels before 5.1 know one.
  [/^setsockopt\(.*SO_RCVTIMEO/, { told: "ENOMEM", outlived: "ENOPROTOOPT" }],
  [/^setsockopt\(/, { told: "ENOPROTOOPT ENOMEM" }],
  [/^getsockopt\(/, { outlived: "ENOPROTOOPT" }],
  [/^bind\(/, { told: "EADDRINUSE ENOMEM" }],
  [/^sendto\(/, { told: "EPERM ENOBUFS ENOMEM EAGAIN", outlived: "EINTR" }],
  // A change has been made by then, and only its answer is lost.
  [/^recvfrom\(/, { told: "ENOBUFS ENOMEM EAGAIN", outlived: "EINTR" }],

  // ---- the journal
  // Whose turn it is: courtesy, and nothing that one could fail for.
  [/^flock\(/, { outlived: "EINTR EAGAIN ENOLCK ENOMEM" }],
  [/^open\(.*\/journal", O_RDONLY\|O_NOCTTY\|O_NONBLOCK/, { outlived: "EACCES EMFILE EIO EINTR" }],
  [/^open\(.*O_CREAT/, { told: "ENOSPC EDQUOT EROFS EACCES EPERM EIO EMFILE ENFILE", outlived: "EINTR" }],
  [/^open\(.*\/journal/, { told: "EACCES EIO EMFILE ENFILE ENOMEM", outlived: "EINTR" }],
  [/^read\(.*\/journal/, { told: "EIO", outlived: "EINTR" }],
  [/^write\(.*\/journal/, { told: "ENOSPC EDQUOT EFBIG EIO", outlived: "EINTR" }],
  [/^getdents64\(/, { told: "EIO ENOMEM" }],
  [/^mkdirat\(/, { told: "ENOSPC EDQUOT EROFS EACCES EPERM EIO" }],
  [/^renameat\(/, { told: "ENOSPC EDQUOT EROFS EACCES EPERM EBUSY EIO" }],
  // Of a file that is not there.
  [/^unlinkat\(.*ENOENT/, { told: "EACCES EPERM EBUSY EIO", outlived: "EROFS" }],
  [/^unlinkat\(/, { told: "EROFS EACCES EPERM EBUSY EIO" }],
];

/** The calls that are watched: those of the table. */
export const fallible = [...new Set(rows.map(([text]) => /^\^(\w+)/.exec(text.source)![1]!)), "ioctl"];

/** Not made to fail: it fails on what is no namespace, and on nothing else. */
const infallible = /^ioctl\(.*NS_GET_NSTYPE/;

/** All failures of the calls, one after the other. Throws where the table does not know a call. */
export function failuresOf(calls: readonly SystemCall[]): Failure[] {
  const own = calls.slice(calls.findIndex(({ text }) => text.startsWith("read(0<")));
  return own.filter(({ text }) => !infallible.test(text)).flatMap((call) => failuresOfOne(call));
}

function failuresOfOne(call: SystemCall): Failure[] {
  const row = rows.find(([text]) => text.test(call.text));
  if (row === undefined) throw new Error(`${call.text}: is in no row of the table`);
  const [, outcomes, says] = row;
  return Object.entries(outcomes).flatMap(([outcome, errnos]) =>
    errnos.split(" ").map((errno) => ({ call, errno, outcome: outcome as Outcome, says: says ?? new RegExp(errno) })),
  );
}
