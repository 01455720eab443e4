// A fake System in memory that records what a plugin call does to it.

import type { RunOptions, RunResult } from "host";
import { answer } from "../../../lib/cni/answer.ts";
import { defaulted, defineSchema, journalDirectory, optional, required } from "../../../lib/cni/netconf.ts";
import type { Plugin } from "../../../lib/cni/plugin.ts";
import { flag, integer } from "../../../lib/cni/schemas.ts";
import type { System } from "../../../lib/cni/system.ts";

/** Creates an error like the HostError that the host throws. */
export function hostError(code: string, syscall: string, path?: string): Error {
  return Object.assign(new Error(`${syscall}${path === undefined ? "" : ` ${path}`}: failed (${code})`), {
    code,
    syscall,
    path,
  });
}

type Stat = ReturnType<System["stat"]>;
type File = Partial<Stat> & { readonly kind: string };
/** A program on CNI_PATH: a function of its verb, environment and standard input. */
export type Program = (verb: string, options: RunOptions) => Partial<RunResult>;

const ownNamespace = { device: 4, inode: 4026531840 };

export class Machine implements System {
  environment: Record<string, string>;
  /** The text of standard input, or the error that reading it throws. */
  stdin: string | Error;
  readonly files = new Map<string, File>([
    ["/run/netns/blue", { kind: "file", device: 4, inode: 4026532001 }],
    ["/proc/thread-self/ns/net", { kind: "file", ...ownNamespace }],
    ["/proc/7/ns/net", { kind: "file", ...ownNamespace }],
    ["/etc/hostname", { kind: "file", device: 1, inode: 12 }],
    ["/run", { kind: "directory", device: 1, inode: 13 }],
  ]);
  /** The text that was appended, by path. */
  readonly written = new Map<string, string>();
  readonly programs = new Map<string, Program>();
  /** The error that each access to a path throws, by path. */
  readonly refused = new Map<string, Error>();
  stdout = "";
  stderr = "";
  stdoutFails: Error | undefined;
  signalsIgnored = false;
  stdinRead = false;
  slept = 0;
  /** The programs that were run, each as `host-local ADD`. */
  readonly runs: string[] = [];
  readonly #open = new Map<number, string>();

  constructor(environment: Record<string, string>, stdin: unknown) {
    this.environment = environment;
    this.stdin = typeof stdin === "string" || stdin instanceof Error ? stdin : JSON.stringify(stdin);
  }

  env = (): Record<string, string> => this.environment;
  readStdin = (limit: number): string => {
    this.stdinRead = true;
    if (this.stdin instanceof Error) throw this.stdin;
    if (this.stdin.length > limit) throw hostError("EFBIG", "read");
    return this.stdin;
  };
  writeStdout = (text: string): void => {
    if (this.stdoutFails !== undefined) throw this.stdoutFails;
    this.stdout += text;
  };
  writeStderr = (text: string): void => {
    this.stderr += text;
  };
  openDirectory = (path: string): number => {
    const refused = this.refused.get(path);
    if (refused !== undefined) throw refused;
    const { kind = "directory", uid = 0, mode = 0 } = this.files.get(path) ?? {};
    if (uid !== 0 || (mode & 0o022) !== 0) throw Object.assign(hostError("EPERM", "fstat", path), { path });
    if (kind !== "directory") throw hostError("ENOTDIR", "open", path);
    const fd = 10 + this.#open.size;
    this.#open.set(fd, path);
    return fd;
  };
  openDirectoryIfThere = this.openDirectory;
  appendFile = (name: string, text: string, options: { readonly in?: number } = {}): void => {
    const path = options.in === undefined ? name : `${this.#open.get(options.in)}/${name}`;
    const refusal = this.refused.get(path);
    if (refusal !== undefined) throw refusal;
    this.written.set(path, (this.written.get(path) ?? "") + text);
  };
  monotonic = (): number => 1000 + this.slept;
  time = (): number => Date.UTC(2026, 0, 2, 3, 4, 5, 678);
  ignoreSignals = (): void => {
    this.signalsIgnored = true;
  };
  stat = (path: string): Stat => {
    const open = /^\/proc\/self\/fd\/(\d+)$/.exec(path)?.[1];
    const file = this.files.get(open === undefined ? path : this.#open.get(Number(open))!);
    const refusal = this.refused.get(path);
    if (refusal !== undefined) throw refusal;
    if (file === undefined) throw hostError("ENOENT", "stat", path);
    return { device: 1, inode: 1, mode: 0o644, uid: 0, changed: 0, ...file };
  };
  openNetns = (path: string): number => {
    const file = this.files.get(path);
    const refusal = this.refused.get(path);
    if (refusal !== undefined) throw refusal;
    if (file === undefined) throw hostError("ENOENT", "open", path);
    if (file.device === 1) throw hostError("EINVAL", "setns", path);
    const fd = 10 + this.#open.size;
    this.#open.set(fd, path);
    return fd;
  };
  close = (fd: number): void => {
    this.#open.delete(fd);
  };
  sleep = (milliseconds: number): void => {
    this.slept += milliseconds;
  };
  run = (path: string, options: RunOptions): RunResult => {
    const verb = options.env.CNI_COMMAND!;
    this.runs.push(`${path.slice(path.lastIndexOf("/") + 1)} ${verb}`);
    return { status: 0, stdout: "", ...this.programs.get(path)!(verb, options) };
  };

  /** Puts a program on CNI_PATH. */
  install(path: string, program: Program, mode = 0o755): this {
    this.files.set(path, { kind: "file", mode });
    this.programs.set(path, program);
    return this;
  }

  /** The number of open descriptors. */
  get open(): number {
    return this.#open.size;
  }

  /** The document on standard output, or undefined if standard output is empty. */
  get document(): Record<string, unknown> | undefined {
    return this.stdout === "" ? undefined : JSON.parse(this.stdout);
  }
}

/** A netconf without plugin fields, in the newest version. */
export const netconf = { cniVersion: "1.1.0", name: "blue", type: "note" } as const;

/** Returns the environment of a call for an attachment. */
export function environment(verb: string, more: Record<string, string> = {}): Record<string, string> {
  return {
    CNI_COMMAND: verb,
    CNI_CONTAINERID: "c0ffee",
    CNI_NETNS: "/run/netns/blue",
    CNI_IFNAME: "eth0",
    CNI_PATH: "/opt/cni/bin:/usr/lib/cni",
    ...more,
  };
}

const noteNetconf = defineSchema(() => ({
  mtu: optional(() => integer({ min: 68, max: 65535, unit: "bytes" })),
  vlan: optional(() => integer({ min: 1, max: 4094 })),
  loud: defaulted(false, flag),
  dataDir: journalDirectory("note"),
}));
type Note = ReturnType<typeof noteNetconf.parse>;
type Salvaged = ReturnType<typeof noteNetconf.salvage>;

/** Creates a plugin that records its calls and runs `verbs`. Default: a verb returns `{}`. */
export function note(
  verbs: Partial<Plugin<Note, Salvaged>> = {},
): Plugin<Note, Salvaged> & { calls: [verb: string, call: never][] } {
  const calls: [verb: string, call: never][] = [];
  const taking = <K extends "add" | "del" | "check" | "gc" | "status">(verb: K): Plugin<Note, Salvaged>[K] =>
    ((call: never) => {
      calls.push([verb, call]);
      return (verbs[verb] as ((call: never) => unknown) | undefined)?.(call) ?? {};
    }) as Plugin<Note, Salvaged>[K];
  return {
    name: "note",
    about: "takes note of its calls",
    schema: verbs.schema ?? noteNetconf,
    ...(verbs.ipam !== undefined && { ipam: verbs.ipam }),
    calls,
    add: taking("add"),
    del: taking("del"),
    check: taking("check"),
    gc: taking("gc"),
    status: taking("status"),
  };
}

/** A netconf with a field that must be there. */
export const demanding = defineSchema(() => ({
  deviceID: required(() => integer({ min: 1, max: 9 })),
  dataDir: journalDirectory("note"),
}));

/** Calls the plugin on a new machine that `prepare` may change. */
export function call(
  env: Record<string, string>,
  stdin: unknown,
  { plugin = note(), prepare }: { plugin?: ReturnType<typeof note>; prepare?: (machine: Machine) => void } = {},
): { machine: Machine; plugin: ReturnType<typeof note>; status: number; verbs: string[] } {
  const machine = new Machine(env, stdin);
  prepare?.(machine);
  const status = answer(plugin, machine);
  return { machine, plugin, status, verbs: plugin.calls.map(([verb]) => verb) };
}
