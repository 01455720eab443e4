// A machine with two SR-IOV NICs, an IOMMU and a Debian kernel, in which the host's files are there
// to be run: one start serves many commands.
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
  /** Names the directory in which a failure leaves its evidence, such as a test file's name. */
  readonly name: string;
}

/** What a command left. */
export interface Outcome {
  /** The exit status, 128 + the signal's number where one ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly milliseconds: number;
}

export interface RunOptions {
  /** Milliseconds until it is killed; 120 s unless told. */
  readonly timeout?: number;
  /** The working directory; the checkout unless told. */
  readonly cwd?: string;
  /**
   * Further variables of its environment, which is otherwise a login's, with $LAB_OUT: the
   * directory whose files come back, {@link Machine.out}.
   */
  readonly env?: Readonly<Record<string, string>>;
  /** Where its output goes while it runs, besides the outcome. */
  readonly stdout?: Writable;
  readonly stderr?: Writable;
}

/**
 * A command or the machine did not do what was asked. The message names the directory with the
 * evidence.
 */
export class MachineError extends Error {
  override readonly name = "MachineError";
  /** What the command left, if it ended at all. */
  readonly outcome: Outcome | undefined;

  constructor(message: string, outcome?: Outcome) {
    super(message);
    this.outcome = outcome;
  }
}

/** Ends the machine, and keeps its evidence if a test failed: a tap test (`t`) is one. */
export interface MachineScope extends Scope {
  passing?(): boolean;
  comment?(message: string): void;
}

/** Comes before a test that runs inside. */
const witness = `${checkout}/test/lab/vm/inside/witness.ts`;

/** Milliseconds that a start may take: 4 s is usual under emulation, 18 s beside other load. */
const startTimeout = 60_000;

/**
 * Starts one, and resolves when it takes commands. Throws a {@link MachineError} that names its
 * console's log otherwise: at the second attempt, because an emulated start hangs before its
 * kernel's first word once in some dozens.
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

/** See {@link startMachine}. */
export class Machine {
  /**
   * Where its console's log, each command's script and output, and {@link Machine.keepEvidence}
   * leave their files.
   */
  readonly directory: string;
  /** What commands see as $LAB_OUT: files that they write there are here at once. */
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
    // After its death there is nothing to write to: what matters then is what its console said.
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

  /** Milliseconds from QEMU's start until it took commands. */
  get startTime(): number {
    return this.#startTime;
  }

  /** Whether it has ended, and takes no more commands. */
  get ended(): boolean {
    return this.#ended;
  }

  /**
   * Runs a bash script, whatever its exit status is. Throws a {@link MachineError} where it does
   * not end in time, or the machine ends first.
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
        // The status first: whatever is written by then is read after it.
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
   * The same where only success makes sense: throws a {@link MachineError}, with its outcome and
   * having kept the evidence, where the exit status is not 0.
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
   * Runs a test of the host's (a TypeScript file that uses tap), bundled, and not by tap's runner:
   * its standard output is TAP. Its exit status is not 0
   * where a test failed; each test's first failure has by then left in evidence/ what the machine
   * looked like. `timeout` is for the whole file.
   */
  async attemptTest(file: string, options: RunOptions = {}): Promise<Outcome> {
    // Other folders have files of that name.
    const name = relative(`${checkout}/test`, file).replace(/\.ts$/, "").replaceAll("/", "-");
    await bundle([witness, file], `${this.directory}/${name}.mjs`);
    const { timeout = 600_000 } = options;
    // tap's own limit would be 30 s.
    const env = { TAP_TIMEOUT: `${timeout / 1000}`, LAB_DIRECTORY: this.directory, ...options.env };
    const outcome = await this.attempt(`exec node --enable-source-maps /lab/${name}.mjs`, { ...options, timeout, env });
    if (outcome.status !== 0) await this.keepEvidence();
    return outcome;
  }

  /**
   * Has the machine write down what it looks like (test/lab/vm/inside/evidence), and leaves all in
   * {@link Machine.directory}, which it gives.
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

  /** Ends it at once, and removes its directory unless evidence was kept in it. */
  async stop(): Promise<void> {
    this.#qemu.kill("SIGKILL");
    await this.#closed;
    this.#watcher.close();
    if (!this.#keep) rmSync(this.directory, { recursive: true, force: true });
  }

  /**
   * What `look` finds, asked whenever a file changes in the machine's directory; undefined after
   * `timeout` milliseconds. Throws where the machine ends first.
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
 * A login's environment and the caller's own around a script, whose output goes to files next to
 * it.
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

/** A script as an error message quotes it. */
function brief(script: string): string {
  const line = script.trim().replaceAll(/\s+/g, " ");
  return line.length > 100 ? `${line.slice(0, 100)}…` : line;
}

/** A word for a shell. */
export function quoted(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
