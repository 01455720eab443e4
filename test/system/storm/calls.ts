// Calls a verb of a random attachment, disturbs the call by a signal, and judges its answer.
import { type Attachment, validAttachments } from "../../harness/attachment.ts";
import type { Answer } from "../../harness/plugin.ts";

/** The last moment of a signal after a call has started, in milliseconds. */
const latestSignalMs = 12;
/** The longest stop, in milliseconds. */
const longestStopMs = 150;

export const verbs = ["ADD", "DEL", "CHECK", "STATUS", "GC"] as const;
export type Verb = (typeof verbs)[number];

/** `SIGSTOP` is followed by SIGCONT. */
export const signals = ["SIGKILL", "SIGSTOP", "SIGTERM"] as const;
export type Signal = (typeof signals)[number];

/** An attachment of the storm, and what is known of it. */
export class Target {
  readonly attachment: Attachment;
  /** Undefined after a call that was killed, or that ran at the same time as another one. */
  isAdded: boolean | undefined = false;
  #running = 0;
  /** Changes with each call that starts. */
  #calls = 0;

  constructor(attachment: Attachment) {
    this.attachment = attachment;
  }

  /** Starts a call. Returns a function that ends it, and that tells whether it was alone. */
  begin(): () => boolean {
    const isFirst = this.#running++ === 0;
    const own = ++this.#calls;
    return () => {
      this.#running--;
      return isFirst && this.#calls === own;
    };
  }
}

/** Counts what happened. */
export type Figures = Record<string, number>;

export interface Choice {
  readonly verb: Verb;
  readonly signal: Signal | undefined;
}

/** Draws a verb and a signal. */
export function chooseCall(random: () => number): Choice {
  const verb = weighted(random(), { ADD: 45, DEL: 38, CHECK: 10, STATUS: 3, GC: 4 });
  const signal = weighted(random(), { none: 60, SIGKILL: 25, SIGSTOP: 10, SIGTERM: 5 });
  return { verb, signal: signal === "none" ? undefined : signal };
}

/**
 * Makes a call. GC is called as if the attachment's pod did not exist any more, and must keep all
 * `others`. Returns what is wrong with the answer.
 */
export async function callTarget(
  { target, others, random, figures }: Storm,
  { verb, signal }: Choice,
): Promise<string | undefined> {
  const { attachment } = target;
  const known = target.isAdded;
  const end = target.begin();
  const extra = {
    CHECK: { prevResult: { cniVersion: attachment.netconf["cniVersion"] } },
    GC: validAttachments(...others),
    ...{ ADD: {}, DEL: {}, STATUS: {} },
  }[verb];
  const disturbance = signal === undefined ? undefined : disturb(signal, random);
  const answer = await attachment.run(verb, extra, { ...(disturbance && { started: disturbance.start }) });
  await disturbance?.end();
  const isAlone = end();
  const isKilled = answer.signal === "SIGKILL" || answer.signal === "SIGTERM";
  count(figures, `${verb} ${isKilled ? "killed" : (answer.error?.code ?? answer.status)}`);
  if (disturbance?.isSent()) count(figures, signal!);
  if (!isAlone) count(figures, "concurrent");
  const before = isAlone ? known : undefined;
  target.isAdded = isKilled || !isAlone ? undefined : isAddedAfter(verb, answer, before);
  if (isKilled && signal === answer.signal) return undefined;
  const isExpected = expected(verb, before).includes(answer.error?.code ?? answer.status ?? -1);
  return isExpected ? undefined : `${verb} ${attachment.call.ifname}, added ${before}: ${describe(answer)}`;
}

/** What {@link callTarget} works on. */
export interface Storm {
  readonly target: Target;
  /** All other attachments of the plugin. */
  readonly others: readonly Attachment[];
  readonly random: () => number;
  readonly figures: Figures;
}

/** The error codes of the answers that are right, 0 for success. */
function expected(verb: Verb, isAdded: boolean | undefined): readonly number[] {
  // 102: "call DEL first". 101: CHECK found a difference.
  const [added, absent] = { ADD: [102, 0], CHECK: [0, 101], DEL: [0, 0], STATUS: [0, 0], GC: [0, 0] }[verb] as [
    number,
    number,
  ];
  return isAdded === undefined ? [added, absent] : [isAdded ? added : absent];
}

function isAddedAfter(verb: Verb, { status }: Answer, before: boolean | undefined): boolean | undefined {
  switch (verb) {
    case "ADD":
      // A DEL that was killed leaves an attachment that ADD refuses, and that is not whole.
      return status === 0 ? true : before;
    case "DEL":
    case "GC":
      return status === 0 ? false : undefined;
    case "CHECK":
      // After a killed call, a difference says nothing about the next ADD.
      return status === 0 ? true : before;
    case "STATUS":
      return before;
  }
}

interface Disturbance {
  readonly start: (pid: number) => void;
  /** Lets a stopped process go on, and sends nothing any more. */
  readonly end: () => Promise<void>;
  readonly isSent: () => boolean;
}

function disturb(signal: Signal, random: () => number): Disturbance {
  const [moment, stop] = [random() * latestSignalMs, random() * longestStopMs];
  const timers: NodeJS.Timeout[] = [];
  let isSent = false;
  return {
    start: (pid) => {
      timers.push(
        setTimeout(() => {
          isSent = send(pid, signal);
          if (signal === "SIGSTOP") timers.push(setTimeout(() => send(pid, "SIGCONT"), stop));
        }, moment),
      );
    },
    end: async () => timers.forEach(clearTimeout),
    isSent: () => isSent,
  };
}

function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw failure;
  }
}

function weighted<T extends string>(drawn: number, weights: Readonly<Record<T, number>>): T {
  const names = (Object.entries(weights) as [T, number][]).flatMap(([name, weight]) =>
    Array.from<T>({ length: weight }).fill(name),
  );
  return names[Math.floor(drawn * names.length)]!;
}

function count(figures: Figures, key: string): void {
  figures[key] = (figures[key] ?? 0) + 1;
}

function describe({ status, signal, stdout, stderr }: Answer): string {
  return `${signal ?? status} ${stdout}${stderr}`;
}
