// What the host offers to TypeScript: system calls, and no more. Implemented in host/ (Rust).
//
// Every call is synchronous. Every failure is a HostError. A path or argument with a NUL byte is
// refused with EINVAL
// before any system call; text that is not UTF-8 is refused with EILSEQ. File descriptors are plain
// numbers, all opened close-on-exec.

declare module "host" {
  /**
   * What every call below throws: an `Error` that says which system call failed, on what, and why.
   */
  export interface HostError extends Error {
    /** The errno's name, such as `ENOENT`: decide by this, never by the message. */
    readonly code: string;
    /** The system call, such as `open`. */
    readonly syscall: string;
    /** The file, link or program it was about, where there is one. */
    readonly path?: string;
  }

  // ---- this process

  /**
   * Says what the process is to do. Everything else in a plugin's module is evaluated once, when
   * its executable is built; what the heap then holds is what every process starts from.
   * So nothing outside `run` may call what is below, or depend on time or chance.
   */
  export function main(run: () => void): void;

  /** The command line without the program's own name. */
  export function args(): string[];
  /** The environment; what is not UTF-8 has U+FFFD in its place. */
  export function env(): Record<string, string>;
  /** This process's ID. */
  export function pid(): number;
  /** All of standard input. EFBIG beyond `limit` bytes, EILSEQ if it is not UTF-8. */
  export function readStdin(limit: number): string;
  /** Writes all of `text` to standard output in one go. */
  export function writeStdout(text: string): void;
  /** Writes all of `text` to standard error. A failure is ignored: a log must never fail a call. */
  export function writeStderr(text: string): void;
  /** Whether the descriptor is a terminal: `isatty(3)`. */
  export function isTerminal(fd: number): boolean;
  /**
   * From its first call on, SIGTERM, SIGINT and SIGHUP end this process no more, not even where it
   * is a container's first one: whether one of them has come, waited for up to that many
   * milliseconds.
   */
  export function awaitEnd(timeout: number): boolean;
  /** What `uname(2)` calls the machine, such as `x86_64`. */
  export function machine(): string;
  /** Ends the process at once. */
  export function exit(status: number): never;
  /**
   * From here on SIGTERM, SIGINT and SIGHUP are ignored, in this process and not in the children it
   * runs.
   */
  export function ignoreSignals(): void;
  /** Milliseconds of CLOCK_MONOTONIC. */
  export function monotonic(): number;
  /** Milliseconds of CLOCK_REALTIME: since 1970, UTC. */
  export function time(): number;
  /** Sleeps that many milliseconds. */
  export function sleep(milliseconds: number): void;
  /** The SHA-256 of the text's UTF-8 bytes, as 64 lower-case hex digits. */
  export function sha256(text: string): string;

  // ---- files

  export interface Stat {
    /** `st_dev` and `st_ino`: together they name a file, or a namespace. */
    readonly device: number;
    readonly inode: number;
    readonly kind: "file" | "directory" | "symlink" | "socket" | "fifo" | "character" | "block";
    /** Permission bits, such as 0o755. */
    readonly mode: number;
    readonly uid: number;
  }

  /** `stat(2)`, or `lstat(2)` with `follow: false`. */
  export function stat(path: string, options?: { readonly follow?: boolean }): Stat;
  /**
   * `access(2)` with W_OK: throws where a write would be refused, EROFS on a read-only file system,
   * EACCES without the right to. Changes nothing.
   */
  export function checkWritable(path: string): void;
  /**
   * The whole file as UTF-8. EFBIG beyond `limit` bytes (1 MiB unless told); with `follow: false`,
   * ELOOP on a symbolic link.
   */
  export function readFile(path: string, options?: { readonly limit?: number; readonly follow?: boolean }): string;
  /**
   * Writes to a file that is there already, in one `write(2)` from its start: sysctls and sysfs
   * attributes. Never creates, never truncates.
   */
  export function writeFile(path: string, text: string): void;
  /**
   * Makes a new file with mode 0600 and writes all of `text`. EEXIST where anything of that name is
   * there, a symbolic link included.
   */
  export function createFile(path: string, text: string): void;
  /**
   * Appends the text in one `write(2)`, so that lines of several processes stay whole; makes the
   * file with mode 0600 where there is none. Waits for nobody: ENXIO or EAGAIN of a FIFO
   * that nobody reads, ELOOP on a symbolic link.
   */
  export function appendFile(path: string, text: string): void;
  /**
   * Makes a new file of that mode with the content of `from`, and returns when it is on its medium
   * (`fsync(2)`). EEXIST as for `createFile`; if it fails otherwise, no file is left.
   */
  export function copyFile(from: string, to: string, mode: number): void;
  /** Whether two files have the same content. */
  export function sameContent(one: string, other: string): boolean;
  /** `fsync(2)` of a file, or of a directory: which names are in it is on its medium. */
  export function sync(path: string): void;

  /** An executable that the build of this very kind of host made. */
  export interface Executable {
    /** `e_machine` of its ELF header. */
    readonly machine: number;
    /**
     * What the build labelled it with; empty where it was made for another version of this host.
     */
    readonly label: string;
  }
  /**
   * What such an executable says of itself, without running it; undefined where the file is
   * anything else. ELOOP on a symbolic link.
   */
  export function identify(path: string): Executable | undefined;

  /** `rename(2)`: replaces `to` atomically. */
  export function rename(from: string, to: string): void;
  export function unlink(path: string): void;
  /** Makes one directory with mode 0700. */
  export function makeDirectory(path: string): void;
  /** The names in a directory, sorted, without `.` and `..`. */
  export function readDirectory(path: string): string[];
  /** Where a symbolic link points, unresolved. */
  export function readLink(path: string): string;

  /** Closes a file descriptor that a call below returned. */
  export function close(fd: number): void;
  /**
   * Opens `path` (a file, a directory or a namespace) and takes an exclusive `flock(2)` on it,
   * waiting up to `timeout` milliseconds.
   * Held until the descriptor is closed or the process ends. ETIMEDOUT when someone else keeps it.
   */
  export function lock(path: string, timeout: number): number;

  // ---- namespaces

  /**
   * Opens a network namespace, such as /run/netns/blue or /proc/7/ns/net.
   * EINVAL where the path is something else (a regular file, a directory, a FIFO, another kind of
   * namespace).
   */
  export function openNetns(path: string): number;
  /**
   * Calls back with this thread inside the namespace, and returns to where it was in every case.
   * Ends the process if it cannot return.
   */
  export function inNetns<T>(fd: number, callback: () => T): T;

  // ---- netlink

  /**
   * A netlink socket (`socket(AF_NETLINK, SOCK_RAW, protocol)`, bound) of the current namespace,
   * with extended ACKs, capped ACKs and, where the kernel
   * has it, strict checking. Receives time out after 5 s (EAGAIN).
   */
  export function netlinkSocket(protocol: number): number;
  /** Sends one datagram. */
  export function send(fd: number, datagram: Uint8Array): void;
  /** Receives one datagram of up to 64 KiB; EMSGSIZE where it was longer. */
  export function receive(fd: number): Uint8Array;

  /**
   * What the kernel calls the network namespace of a socket, as a decimal number: unlike its inode
   * no other one will have it before the next boot.
   * ENOPROTOOPT before Linux 5.14.
   */
  export function netnsCookie(socket: number): string;

  // ---- taps (rtnetlink refuses to create them)

  export interface TapOptions {
    /** `IFF_MULTI_QUEUE`. */
    readonly multiQueue: boolean;
    /**
     * The SELinux context that the tap is created under: a child process of this executable takes
     * it, makes the tap, and hands the descriptor back.
     * EOPNOTSUPP on a node without SELinux, EINVAL or EACCES where the context is unknown or
     * refused.
     */
    readonly selinuxContext?: string;
  }
  /**
   * Makes a new tap in the current namespace (`TUNSETIFF` with IFF_TAP, IFF_NO_PI and
   * IFF_VNET_HDR). EBUSY where a link of that name is there.
   * The tap lasts as long as the descriptor is open, until `persistTap`.
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
    /** Milliseconds; afterwards the child is killed and ETIMEDOUT thrown. */
    readonly timeout: number;
  }
  export interface RunResult {
    /** The exit status, or 128 + the signal that ended the child. */
    readonly status: number;
    readonly signal?: number;
    readonly stdout: string;
  }
  /**
   * Runs a program by its path, without a shell; its standard error is ours. EFBIG beyond 1 MiB of
   * standard output.
   */
  export function run(path: string, options: RunOptions): RunResult;
}
