// Starts a QEMU machine with two SR-IOV NICs, an IOMMU and a Debian kernel, and runs commands in
// it.
//
// The machine sees the host's files and can execute them. One start serves many commands.
import type { ChildProcess } from "node:child_process";
import {
  existsSync,
  type FSWatcher,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  watch,
  writeFileSync,
} from "node:fs";
import { dirname, relative } from "node:path";
import type { Writable } from "node:stream";
import type { Scope } from "../../harness/scope.ts";
import { bundle } from "./bundle.ts";
import { Follower } from "./follower.ts";
import { type Hardware, spawnMachine } from "./hardware.ts";
import { cache, checkout } from "./qemu.ts";

export interface MachineOptions extends Hardware {
  /** Part of the name of the directory with the evidence, such as a test file's name. */
  readonly name: string;
}

/** The result of a command. */
export interface Outcome {
  /** The exit status, or 128 + the number of the signal that ended the command. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly milliseconds: number;
}

export interface RunOptions {
  /** Milliseconds until the command is killed. Default: 120 s. */
  readonly timeout?: number;
  /** The working directory. Default: the checkout. */
  readonly cwd?: string;
  /**
   * Further environment variables. The default environment is that of a login, plus $LAB_OUT, the
   * directory for files that the host needs ({@link Machine.out}).
   */
  readonly env?: Readonly<Record<string, string>>;
  /** Streams that receive the output while the command runs, in addition to the outcome. */
  readonly stdout?: Writable;
  readonly stderr?: Writable;
}

/** A command or the machine failed. The message names the directory with the evidence. */
export class MachineError extends Error {
  override readonly name = "MachineError";
  /** The command's result. Undefined if it did not end. */
  readonly outcome: Outcome | undefined;

  constructor(message: string, outcome?: Outcome) {
    super(message);
    this.outcome = outcome;
  }
}

/** A scope that keeps the machine's evidence if a test failed. A tap test (`t`) is one. */
export interface MachineScope extends Scope {
  passing?(): boolean;
  comment?(message: string): void;
}

/** The module that is bundled in front of a test. */
const witness = `${checkout}/test/lab/vm/inside/witness.ts`;

/** Milliseconds. A start usually takes 4 s under emulation, and 18 s on a busy host. */
const startTimeout = 60_000;

/**
 * Starts a machine. Resolves when it accepts commands.
 *
 * Tries twice, because a few in a hundred emulated starts hang before the kernel's first message.
 * @throws a {@link MachineError} that names the console's log if the second start fails too.
 */
export async function startMachine(scope: MachineScope, options: MachineOptions): Promise<Machine> {
  try {
    return await attemptStart(scope, options);
  } catch (failure) {
    scope.comment?.(`another attempt: ${(failure as Error).message}`);
    return await attemptStart(scope, options);
  }
}

async function attemptStart(scope: MachineScope, options: MachineOptions): Promise<Machine> {
  const runs = `${cache}/runs`;
  mkdirSync(runs, { recursive: true });
  const directory = mkdtempSync(`${runs}/${options.name.replaceAll(/[^\w.-]+/g, "-")}-`);
  mkdirSync(`${directory}/out`);
  const machine = new Machine(directory, spawnMachine(options, directory));
  scope.teardown(async () => {
    if (scope.passing?.() === false) scope.comment?.(`evidence: ${await machine.keepEvidence()}`);
    await machine.stop();
  });
  await machine.started.catch(async (failure: unknown) => {
    await machine.stop();
    throw failure;
  });
  scope.comment?.(`machine ${options.name}: start to shell: ${machine.startTime} ms`);
  return machine;
}

export class Machine {
  /**
   * The directory with the console's log, the commands' scripts and outputs, and the evidence from
   * {@link Machine.keepEvidence}.
   */
  readonly directory: string;
  /** The host's path of $LAB_OUT. Files that commands write there appear here at once. */
  readonly out: string;
  readonly started: Promise<void>;
  readonly #qemu: ChildProcess;
  readonly #watcher: FSWatcher;
  readonly #lookers = new Set<() => void>();
  readonly #closed: Promise<void>;
  #startTime = 0;
  #commands = 0;
  #ended = false;
  #keep = false;

  constructor(directory: string, process: ChildProcess) {
    this.directory = directory;
    this.out = `${directory}/out`;
    this.#qemu = process;
    this.#watcher = watch(directory, () => this.#look());
    // After QEMU's exit, writes fail with EPIPE. The console's log says why it exited.
    process.stdin?.on("error", () => undefined);
    this.#closed = new Promise((resolve) => {
      process.once("close", () => {
        this.#ended = true;
        this.#look();
        resolve();
      });
    });
    const begin = performance.now();
    this.started = this.#until(() => existsSync(`${directory}/ready`) || undefined, startTimeout).then((ready) => {
      this.#startTime = Math.round(performance.now() - begin);
      if (!ready) throw this.#failure(`the machine: does not take commands after ${this.#startTime} ms`);
    });
  }

  /** Milliseconds from QEMU's start until the machine accepted commands. */
  get startTime(): number {
    return this.#startTime;
  }

  /** Whether the machine has ended. It then accepts no more commands. */
  get ended(): boolean {
    return this.#ended;
  }

  /**
   * Runs a bash script and returns its result, whatever its exit status is.
   *
   * @throws a {@link MachineError} if the script does not end in time, or the machine ends first.
   */
  async attempt(script: string, options: RunOptions = {}): Promise<Outcome> {
    const { timeout = 120_000 } = options;
    this.#commands += 1;
    const id = `${this.#commands}`;
    const file = `${this.directory}/${id}`;
    for (const stream of ["stdout", "stderr"]) writeFileSync(`${file}.${stream}`, "");
    writeFileSync(file, wrapped(id, script, options));

    const begin = performance.now();
    const stdout = new Follower(`${file}.stdout`, options.stdout);
    const stderr = new Follower(`${file}.stderr`, options.stderr);
    try {
      this.#qemu.stdin?.write(`run ${id}\n`);
      const status = await this.#until(() => {
        // The status must be checked before the output is read, so that no output is missed.
        const ended = existsSync(`${file}.status`);
        stdout.read();
        stderr.read();
        return ended ? Number(readFileSync(`${file}.status`, "utf8")) : undefined;
      }, timeout);
      const milliseconds = Math.round(performance.now() - begin);
      if (status !== undefined) return { status, stdout: stdout.text, stderr: stderr.text, milliseconds };
    } finally {
      stdout.close();
      stderr.close();
    }
    const evidence = await this.keepEvidence();
    this.#qemu.stdin?.write(`kill ${id}\n`);
    throw new MachineError(`${brief(script)}: still runs after ${timeout} ms; evidence: ${evidence}`);
  }

  /**
   * Runs a bash script as {@link Machine.attempt} does.
   *
   * @throws a {@link MachineError} with the outcome if the exit status is not 0. Keeps the evidence
   * then.
   */
  async run(script: string, options: RunOptions = {}): Promise<Outcome> {
    const outcome = await this.attempt(script, options);
    if (outcome.status === 0) return outcome;
    const evidence = await this.keepEvidence();
    const said = outcome.stderr || outcome.stdout;
    throw new MachineError(
      `${brief(script)}: exit status is ${outcome.status}, not 0; evidence: ${evidence}\n${said}`,
      outcome,
    );
  }

  /**
   * Runs a test file of the host (TypeScript with tap) as a bundle, without tap's runner.
   *
   * Its standard output is TAP. If a test failed, its exit status is not 0, and evidence/ holds the
   * machine's state at each test's first failure. `timeout` applies to the whole file.
   */
  async attemptTest(file: string, options: RunOptions = {}): Promise<Outcome> {
    // The name includes the folders, because several folders have files of the same name.
    const name = relative(`${checkout}/test`, file).replace(/\.ts$/, "").replaceAll("/", "-");
    await bundle([witness, file], `${this.directory}/${name}.mjs`);
    const { timeout = 600_000 } = options;
    // tap's default timeout is 30 s.
    const env = { TAP_TIMEOUT: `${timeout / 1000}`, LAB_DIRECTORY: this.directory, ...options.env };
    const outcome = await this.attempt(`exec node --enable-source-maps /lab/${name}.mjs`, { ...options, timeout, env });
    if (outcome.status !== 0) await this.keepEvidence();
    return outcome;
  }

  /**
   * Records the machine's state (test/lab/vm/inside/evidence) and keeps {@link Machine.directory}.
   * Returns that directory.
   */
  async keepEvidence(): Promise<string> {
    const first = !this.#keep;
    this.#keep = true;
    if (first && !this.#ended) {
      await this.attempt(`exec bash ${checkout}/test/lab/vm/inside/evidence /lab/evidence`, { timeout: 30_000 }).catch(
        () => undefined,
      );
    }
    return this.directory;
  }

  /** Kills the machine, and removes its directory unless evidence was kept. */
  async stop(): Promise<void> {
    this.#qemu.kill("SIGKILL");
    await this.#closed;
    this.#watcher.close();
    if (!this.#keep) rmSync(this.directory, { recursive: true, force: true });
  }

  /**
   * Calls `look` whenever a file in the machine's directory changes, until it returns a value.
   *
   * Resolves to undefined after `timeout` milliseconds. Rejects if the machine ends first.
   */
  async #until<T>(look: () => T | undefined, timeout: number): Promise<T | undefined> {
    return await new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        clearTimeout(timer);
        this.#lookers.delete(looker);
        settle();
      };
      const looker = (): void => {
        const found = look();
        if (found !== undefined) end(() => resolve(found));
        else if (this.#ended) end(() => reject(this.#failure("the machine: ended by itself")));
      };
      const timer = setTimeout(() => end(() => resolve(undefined)), timeout);
      this.#lookers.add(looker);
      looker();
    });
  }

  #look(): void {
    for (const looker of [...this.#lookers]) looker();
  }

  #failure(fact: string): MachineError {
    this.#keep = true;
    const console = readFileSync(`${this.directory}/console.log`, "utf8").trimEnd().split("\n").slice(-20).join("\n");
    return new MachineError(`${fact}; its console (${this.directory}/console.log) ended with:\n${console}`);
  }
}

/**
 * Returns `script` with a login's environment and the caller's variables. Its output goes to files
 * next to the script.
 */
function wrapped(id: string, script: string, { cwd = checkout, env = {} }: RunOptions): string {
  const variables = {
    PATH: `/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:${dirname(process.execPath)}`,
    HOME: "/root",
    LANG: "C.UTF-8",
    LAB_OUT: "/lab/out",
    ...env,
  };
  const exports = Object.entries(variables).map(([name, value]) => `export ${name}=${quoted(value)}\n`);
  return `echo $$ >${id}.pid; exec >>${id}.stdout 2>>${id}.stderr; cd ${quoted(cwd)} || exit\n${exports.join("")}${script}\n`;
}

/** Shortens a script for an error message. */
function brief(script: string): string {
  const line = script.trim().replaceAll(/\s+/g, " ");
  return line.length > 100 ? `${line.slice(0, 100)}…` : line;
}

/** Quotes a word for a shell. */
export function quoted(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
