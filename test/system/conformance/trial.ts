// The trial of one rule: calls of its subject on a ground. Every answer is checked.
import type { Test } from "tap";
import type { Netconf } from "../../harness/attachment.ts";
import { type Answer, type Call, callPlugin } from "../../harness/plugin.ts";
import type { Snapshot } from "../../harness/snapshot.ts";
import { faultsOfAnswer } from "./answers.ts";
import { emulated } from "./emulation.ts";
import { printable } from "./printable.ts";
import { settledState, steadyState } from "./settled.ts";
import type { Ground, Subject } from "./subject.ts";

/** The changes to the ground's call. */
export interface Changes {
  /** Additional or replaced fields of the configuration. `undefined` removes a field. */
  readonly netconf?: Netconf;
  /** The text of standard input, in place of the configuration. */
  readonly stdin?: string;
  readonly call?: Call;
  /** False if the call has bytes that are not UTF-8. */
  readonly isText?: boolean;
  /** Variables to remove from the environment. */
  readonly unset?: readonly string[];
}

/** The expected error of a call. */
export interface Refusal {
  readonly code: number;
  /** What `msg` and `details`, joined by "; ", must match or contain. */
  readonly says?: RegExp | string;
  /** The message of the assertion. */
  readonly what?: string;
}

export interface Trial {
  readonly t: Test;
  readonly subject: Subject;
  readonly ground: Ground;
  /** Calls a verb, and checks that the answer is well-formed. */
  run(verb: string, changes?: Changes, ground?: Ground): Promise<Answer>;
  /** Calls a verb, and checks that it fails as expected. */
  refused(verb: string, changes: Changes, expected: Refusal): Promise<Answer>;
  /** Calls a verb, and checks that it succeeds; only ADD and VERSION may print a result. */
  succeeds(verb: string, changes?: Changes, what?: string, ground?: Ground): Promise<Answer>;
  /** Calls a verb, and checks that it fails, with any error. */
  fails(verb: string, changes?: Changes, what?: string): Promise<Answer>;
  /** Calls ADD, `work` with its answer, and DEL; all must succeed. */
  attached(changes: Changes, work: (answer: Answer) => unknown, what?: string): Promise<void>;
  /** Checks that standard error is empty, except for {@link Subject.remark}. */
  isSilent(answer: Answer, what?: string): void;
  /** The changes for a call in a chain: for eth0, after a plugin that returned `prevResult`. */
  chained(version: string, prevResult: unknown): Changes;
  /** Creates another pod with the same journal. */
  another(): Promise<Ground>;
  /** The ground's state after it has settled. */
  steady(): Promise<Snapshot>;
  /** Checks that the ground returns to an earlier state within some seconds. */
  isAsBefore(before: readonly string[], what?: string, ground?: Ground): Promise<void>;
}

/** A call that takes longer has failed. */
const timeoutMs = emulated ? 60_000 : 5_000;

/** Calls a verb. `faults` are the violations of what holds for every answer. */
export async function invoke(
  subject: Subject,
  ground: Ground,
  verb: string,
  { netconf, stdin, call, isText, unset = [] }: Changes,
): Promise<{ answer: Answer; faults: string[] }> {
  const without = unset.length === 0 ? [] : ["env", ...unset.flatMap((name) => ["-u", name])];
  const changed: Call = { timeout: timeoutMs, ...ground.call, ...call, under: [...without, ...(call?.under ?? [])] };
  const answer = await callPlugin(subject.path, verb, changed, stdin ?? { ...ground.netconf, ...netconf });
  return { answer, faults: faultsOfAnswer(verb, answer, isText) };
}

export function trialOf(t: Test, subject: Subject, ground: Ground): Trial {
  const run: Trial["run"] = async (verb, changes = {}, on = ground) => {
    const { answer, faults } = await invoke(subject, on, verb, changes);
    if (faults.length > 0) t.fail(`${verb}: ${faults.join("; ")}`, { answer, changes });
    return answer;
  };
  const succeeds: Trial["succeeds"] = async (verb, changes, what = verb, on = ground) => {
    const answer = await run(verb, changes, on);
    const { status, stdout } = answer;
    t.equal(status, 0, printable(`${what}: succeeds`), { stdout });
    return answer;
  };
  return {
    t,
    subject,
    ground,
    run,
    succeeds,
    refused: async (verb, changes, { code, says = "", what = verb }) => {
      const answer = await run(verb, changes);
      const { status, error } = answer;
      t.same({ fails: status !== 0, code: error?.code }, { fails: true, code }, printable(what), { error });
      const words = [error?.msg, error?.details].filter((one) => one !== undefined).join("; ");
      const found = typeof says === "string" ? words.includes(says) : says.test(words);
      t.ok(found, printable(`${what}: names it`), { says: String(says), words });
      return answer;
    },
    fails: async (verb, changes, what = verb) => {
      const answer = await run(verb, changes);
      t.not(answer.status, 0, printable(`${what}: fails`));
      return answer;
    },
    attached: async (changes, work, what) => {
      const answer = await succeeds("ADD", changes, what);
      if (answer.status === 0) await work(answer);
      await succeeds("DEL", changes, what);
    },
    isSilent: ({ stderr }, what = "standard error is empty") => {
      t.equal(stderr.replace(subject.remark ?? "", ""), "", printable(what));
    },
    chained: (cniVersion, prevResult) => ({
      call: { ifname: "eth0" },
      netconf: { cniVersion, prevResult, args: undefined },
    }),
    steady: () => steadyState(ground),
    another: async () => {
      const other = await subject.ground(t, ground);
      await steadyState(other);
      return other;
    },
    isAsBefore: async (before, what = "the state is as before", on = ground) => {
      t.same(await settledState(on, before), [], printable(what));
    },
  };
}
