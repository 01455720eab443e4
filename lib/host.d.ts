// The system calls that the host offers to TypeScript. Implemented in host/ (Rust).
//
// Every call is synchronous, and every failure is a HostError. A path or argument with a NUL byte
// is refused with EINVAL before any system call. Text that is not UTF-8 is refused with EILSEQ.
// File descriptors are plain numbers. All are opened close-on-exec.

declare module "host" {
  /** The error that every call below throws: which system call failed, on what, and why. */
  export interface HostError extends Error {
    /** The errno's name, such as `ENOENT`. Compare this, never the message. */
    readonly code: string;
    /** The system call, such as `open`. */
    readonly syscall: string;
    /** The file, link or program that the call was about, if any. */
    readonly path?: string;
  }

  // ---- this process

  /**
   * Registers the function that every process of this executable runs.
   *
   * Everything else in a plugin's module is evaluated once, when its executable is built. Every
   * process starts from the resulting heap. Code outside `run` must therefore not call the
   * functions below, nor depend on time or randomness.
   */
  export function main(run: () => void): void;

  /** Returns the command line without the program's own name. */
  export function args(): string[];
  /** Returns the environment. Invalid UTF-8 becomes U+FFFD. */
  export function env(): Record<string, string>;
  /** Returns this process's ID. */
  export function pid(): number;
  /** Returns all of standard input. EFBIG beyond `limit` bytes, EILSEQ if it is not UTF-8. */
  export function readStdin(limit: number): string;
  /** Writes all of `text` to standard output. */
  export function writeStdout(text: string): void;
  /** Writes all of `text` to standard error. Ignores a failure: a log must never fail a call. */
  export function writeStderr(text: string): void;
  /** Whether the descriptor is a terminal: `isatty(3)`. */
  export function isTerminal(fd: number): boolean;
  /**
   * Blocks SIGTERM, SIGINT and SIGHUP, and waits up to `timeout` milliseconds for one of them.
   * Returns whether one arrived.
   *
   * The signals stay blocked until the process ends. This works in a container's first process,
   * too: the kernel does not discard its blocked signals.
   */
  export function awaitEnd(timeout: number): boolean;
  /** Returns the machine name of `uname(2)`, such as `x86_64`. */
  export function machine(): string;
  /** Ends the process at once. */
  export function exit(status: number): never;
  /** Ignores SIGTERM, SIGINT and SIGHUP in this process, but not in the children that it runs. */
  export function ignoreSignals(): void;
  /**
   * Confines this process until it ends: it starts no program, and writes only below `directories`
   * and to existing files below `files`. A missing directory counts as the one above it.
   *
   * Returns the measures in force: `noNewPrivileges`, `landlock`, `capabilities`, `noNewCode`.
   */
  export function confine(directories: readonly string[], files: readonly string[]): string[];
  /** Returns CLOCK_MONOTONIC in milliseconds. */
  export function monotonic(): number;
  /** Returns CLOCK_REALTIME in milliseconds since 1970, UTC. */
  export function time(): number;
  export function sleep(milliseconds: number): void;
  /** Returns a random whole number below 2^32. */
  export function random(): number;
  /** Returns the SHA-256 of the text's UTF-8 bytes, as 64 lower-case hex digits. */
  export function sha256(text: string): string;

  // ---- files
  // A call `…IfThere` is the one before it, but returns undefined instead of ENOENT. An error costs
  // more time than the system call.

  export interface Stat {
    /** `st_dev` and `st_ino`: together they identify a file or a namespace. */
    readonly device: number;
    readonly inode: number;
    readonly kind: "file" | "directory" | "symlink" | "socket" | "fifo" | "character" | "block";
    /** Permission bits, such as 0o755. */
    readonly mode: number;
    readonly uid: number;
    /** `st_ctime` in milliseconds since 1970: the last change of the file, its name or its mode. */
    readonly changed: number;
  }

  /**
   * For calls on an entry of an open directory: `path` is the entry's name, which must be one
   * component (EINVAL otherwise). A symbolic link is not followed.
   */
  export interface In {
    /** What {@link openDirectory} returned. */
    readonly in?: number;
  }

  /**
   * Opens a directory that only root can change.
   *
   * - A path: absolute, symbolic links are followed. Every directory on the way, and every symbolic
   *   link, belongs to root, and no other user can write to it.
   * - With `in`: a path of one or more names below that directory, as `openat2(2)` with
   *   RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS. ELOOP on a symbolic link.
   *
   * EPERM of `fstat` if others can change a directory: the error's `path` names it. With `create`,
   * missing directories are created with mode 0700.
   */
  export function openDirectory(path: string, options?: In & { readonly create?: boolean }): number;
  export function openDirectoryIfThere(path: string, options?: In): number | undefined;

  /** `stat(2)`, or `lstat(2)` with `follow: false`. */
  export function stat(path: string, options?: In & { readonly follow?: boolean }): Stat;
  export function statIfThere(path: string, options?: In & { readonly follow?: boolean }): Stat | undefined;
  /**
   * `access(2)` with W_OK: throws if a write would be refused. Changes nothing.
   *
   * EROFS on a read-only file system, EACCES without permission.
   */
  export function checkWritable(path: string): void;
  /**
   * Returns the whole file as UTF-8.
   *
   * EFBIG beyond `limit` bytes (default: 1 MiB). With `follow: false`, ELOOP on a symbolic link.
   */
  export function readFile(path: string, options?: In & { readonly limit?: number; readonly follow?: boolean }): string;
  export function readFileIfThere(...args: Parameters<typeof readFile>): string | undefined;
  /**
   * Writes to an existing file, in one `write(2)` from its start, as sysctls and sysfs attributes
   * need it.
   *
   * Never creates and never truncates a file.
   */
  export function writeFile(path: string, text: string): void;
  /**
   * Creates a file with mode 0600 and writes all of `text`.
   *
   * EEXIST if the name exists, even as a symbolic link. If the write fails, no file remains.
   */
  export function createFile(path: string, text: string, options?: In): void;
  /**
   * Appends the text in one `write(2)`, so that lines of several processes stay whole.
   *
   * Creates a missing file with mode 0600. Never blocks: ENXIO or EAGAIN on a FIFO without a
   * reader. ELOOP on a symbolic link.
   */
  export function appendFile(path: string, text: string, options?: In): void;
  /**
   * Creates a file with that mode and the content of `from`, and waits until it is on its medium
   * (`fsync(2)`).
   *
   * EEXIST as for `createFile`. After any other failure, no file remains.
   */
  export function copyFile(from: string, to: string, mode: number): void;
  /** Whether two files have the same content. */
  export function sameContent(one: string, other: string): boolean;
  /**
   * `fsync(2)` of a file, or of a directory: waits until the names in the directory are on the
   * medium.
   */
  export function sync(path: string): void;

  /** A host with a plugin, as the build makes it. */
  export interface Executable {
    /** `e_machine` of its ELF header. */
    readonly machine: number;
    /** The build's label. Empty if the executable was built for another version of this host. */
    readonly label: string;
  }
  /**
   * Identifies such an executable without running it. Returns undefined for any other file.
   *
   * ELOOP on a symbolic link.
   */
  export function identify(path: string): Executable | undefined;

  /** `rename(2)`: replaces `to` atomically. With `in`, both are names in that directory. */
  export function rename(from: string, to: string, options?: In): void;
  export function unlink(path: string, options?: In): void;
  export function unlinkIfThere(path: string, options?: In): void;
  /** Creates one directory with mode 0700. */
  export function makeDirectory(path: string): void;
  /** `rmdir(2)`: ENOTEMPTY if the directory has entries. */
  export function removeDirectory(path: string, options: Required<In>): void;
  /** Returns the names in a directory, sorted, without `.` and `..`. */
  export function readDirectory(path: string): string[];
  /** The same for what {@link openDirectory} returned. */
  export function readOpenDirectory(directory: number): string[];
  /** `symlink(2)`: EEXIST if the name exists. */
  export function createLink(path: string, target: string, options?: In): void;
  /** Returns the target of a symbolic link, unresolved. EINVAL if the entry is no link. */
  export function readLink(path: string, options?: In): string;
  export function readLinkIfThere(path: string, options?: In): string | undefined;

  /** Closes a file descriptor that one of these calls returned. */
  export function close(fd: number): void;
  /**
   * Opens `path` (a file, a directory or a namespace) and takes an exclusive `flock(2)` on it.
   *
   * With `in`, takes an exclusive lock on the byte `at` of a file instead (F_OFD_SETLKW), which is
   * created if it is missing. Bytes beyond the file's end can be locked, too.
   *
   * Waits up to `timeout` milliseconds. ETIMEDOUT if another process keeps the lock. The lock is
   * held until the descriptor is closed or the process ends.
   */
  export function lock(path: string, timeout: number, options?: { readonly in: number; readonly at: number }): number;

  // ---- namespaces

  /**
   * Opens a network namespace, such as /run/netns/blue or /proc/7/ns/net.
   *
   * EINVAL if the path is anything else: a regular file, a directory, a FIFO, another kind of
   * namespace.
   */
  export function openNetns(path: string): number;
  /**
   * Calls back with this thread inside the namespace, and returns to the thread's own namespace in
   * every case.
   *
   * Ends the process if it cannot return.
   */
  export function inNetns<T>(fd: number, callback: () => T): T;

  /**
   * Returns the inode number of the user namespace that owns an open network namespace. EPERM if it
   * is not below our own.
   */
  export function netnsOwner(fd: number): number;

  // ---- netlink

  /**
   * Opens a netlink socket in the current namespace: `socket(AF_NETLINK, SOCK_RAW, protocol)`,
   * connected to the kernel. Other processes cannot send to it: ECONNREFUSED for them.
   *
   * It has extended ACKs, capped ACKs and, if the kernel supports it, strict checking. A receive
   * times out after 5 s (EAGAIN).
   */
  export function netlinkSocket(protocol: number): number;
  /** Sends one datagram. */
  export function send(fd: number, datagram: Uint8Array): void;
  /**
   * Receives one datagram of up to 64 KiB from the kernel. EMSGSIZE if it was longer.
   *
   * Drops what other processes in the namespace sent to the socket before it was connected.
   */
  export function receive(fd: number): Uint8Array;

  /**
   * Returns the cookie of a socket's network namespace, as a decimal number.
   *
   * Unlike an inode number, the cookie is unique until reboot. ENOPROTOOPT before Linux 5.14.
   */
  export function netnsCookie(socket: number): string;

  // ---- taps (rtnetlink refuses to create them)

  export interface TapOptions {
    /** `IFF_MULTI_QUEUE`. */
    readonly multiQueue: boolean;
    /**
     * The SELinux context under which the tap is created.
     *
     * A child process of this executable changes to the context, creates the tap, and passes the
     * descriptor back. EOPNOTSUPP on a node without SELinux. EINVAL or EACCES if the context is
     * unknown or refused.
     */
    readonly selinuxContext?: string;
  }
  /**
   * Creates a tap in the current namespace (`TUNSETIFF` with IFF_TAP, IFF_NO_PI and IFF_VNET_HDR).
   *
   * EBUSY if a link of that name exists. The tap exists as long as the descriptor is open.
   * `persistTap` changes that.
   */
  export function createTap(name: string, options: TapOptions): number;
  /**
   * Sets owner and group (`TUNSETOWNER`, `TUNSETGROUP`), then makes the tap outlive the descriptor
   * (`TUNSETPERSIST`).
   */
  export function persistTap(fd: number, options: { readonly owner: number; readonly group: number }): void;

  // ---- children

  export interface RunOptions {
    readonly args?: readonly string[];
    /** The child's whole environment. */
    readonly env: Record<string, string>;
    readonly stdin: string;
    /** Milliseconds. After this time the child is killed and ETIMEDOUT is thrown. */
    readonly timeout: number;
  }
  export interface RunResult {
    /** The exit status, or 128 + the signal that ended the child. */
    readonly status: number;
    readonly signal?: number;
    readonly stdout: string;
  }
  /**
   * Runs a program by its path, without a shell. The child inherits our standard error.
   *
   * EFBIG beyond 1 MiB of standard output.
   */
  export function run(path: string, options: RunOptions): RunResult;
}
