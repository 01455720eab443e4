// What serving a verb asks of the system: calls of `host`, by which tests put a machine of their own in its place.

/** Every failure is an Error with `code`, the errno's name. */
export interface System {
  env(): Record<string, string>;
  /** All of it; EFBIG beyond `limit` bytes, EILSEQ if it is not UTF-8. */
  readStdin(limit: number): string;
  writeStdout(text: string): void;
  writeStderr(text: string): void;
  /** Appends to a file, or makes it with mode 0600, in one write. */
  appendFile(path: string, text: string): void;
  /** From here on the process survives SIGTERM, SIGINT and SIGHUP. */
  ignoreSignals(): void;
  stat(
    path: string,
    options?: { readonly follow?: boolean },
  ): {
    readonly device: number;
    readonly inode: number;
    readonly kind: string;
    readonly mode: number;
    readonly uid: number;
  };
  /** With mode 0700. */
  makeDirectory(path: string): void;
  /** EINVAL where the path is something else. */
  openNetns(path: string): number;
  close(fd: number): void;
  /** Runs a program by its path; its standard error is ours. ETIMEDOUT after `timeout` milliseconds. */
  run(path: string, options: RunOptions): RunResult;
  /** Milliseconds. */
  sleep(milliseconds: number): void;
  /** Milliseconds since some moment. */
  monotonic(): number;
  /** Milliseconds since 1970, as the node's clock has it. */
  time(): number;
}

export interface RunOptions {
  /** The child's whole environment. */
  readonly env: Record<string, string>;
  readonly stdin: string;
  readonly timeout: number;
}

export interface RunResult {
  /** The exit status, or 128 + the signal that ended the child. */
  readonly status: number;
  readonly signal?: number;
  readonly stdout: string;
}
