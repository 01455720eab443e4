// The calls of the host that serving a call needs. Tests pass a machine of their own.

export type System = Pick<
  typeof import("host"),
  | "appendFile"
  | "close"
  | "env"
  | "ignoreSignals"
  | "monotonic"
  | "openDirectory"
  | "openDirectoryIfThere"
  | "openNetns"
  | "readStdin"
  | "run"
  | "sleep"
  | "stat"
  | "time"
  | "writeStderr"
  | "writeStdout"
>;
