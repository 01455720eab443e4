// One rule being tried: calls of its subject on a ground, every answer of which is judged.
import type { Test } from "tap";
import type { Netconf } from "../../harness/attachment.ts";
import { type Answer, type Call, callPlugin } from "../../harness/plugin.ts";
import type { Snapshot } from "../../harness/snapshot.ts";
import { faultsOfAnswer } from "./answers.ts";
import { emulated } from "./emulation.ts";
import { printable } from "./printable.ts";
import { settledState, steadyState } from "./settled.ts";
import type { Ground, Subject } from "./subject.ts";

/** How a call differs from the ground's own. */
export interface Changes {
  /** Fields beside, or in place of, the configuration's; those that are undefined are left out. */
  readonly netconf?: Netconf;
  /** In place of the configuration, standard input's text. */
  readonly stdin?: string;
  readonly call?: Call;
  /** False where the call has bytes that are no UTF-8. */
  readonly isText?: boolean;
  /** Variables that are not in the environment at all. */
  readonly unset?: readonly string[];
}

/** How a call is to be refused. */
export interface Refusal {
  readonly code: number;
  /** What `msg` and `details`, with "; " between them, have to match or to hold. */
  readonly says?: RegExp | string;
  /** Which case it is. */
  readonly what?: string;
}

/** What a rule is tried with. */
export interface Trial {
  readonly t: Test;
  readonly subject: Subject;
  readonly ground: Ground;
  /** Calls a verb, and sees that the answer is well-formed. */
  run(verb: string, changes?: Changes, ground?: Ground): Promise<Answer>;
  /** Calls it and sees that it fails so. */
  refused(verb: string, changes: Changes, expected: Refusal): Promise<Answer>;
  /** Calls it and sees that it succeeds, and, but for ADD and VERSION, without a word. */
  succeeds(verb: string, changes?: Changes, what?: string, ground?: Ground): Promise<Answer>;
  /** Calls it and sees that it fails, however. */
  fails(verb: string, changes?: Changes, what?: string): Promise<Answer>;
  /** ADD, `work` with its answer, and DEL with the same call, all of which has to succeed. */
  attached(changes: Changes, work: (answer: Answer) => unknown, what?: string): Promise<void>;
  /** Sees that nothing was said on standard error, but what is said at every ADD here. */
  isSilent(answer: Answer, what?: string): void;
  /** As what `ADD` is called with in a list: for eth0, behind a plugin that gave `prevResult`. */
  chained(version: string, prevResult: unknown): Changes;
  /** Another pod, with the same journal. */
  another(): Promise<Ground>;
  /** The ground's state once nothing changes any more, which after an ADD takes a while. */
  steady(): Promise<Snapshot>;
  /** Sees that nothing differs from an earlier state, at the latest after some seconds. */
  isAsBefore(before: readonly string[], what?: string, ground?: Ground): Promise<void>;
}

/** Whoever needs longer hangs. */
const limit = emulated ? 60_000 : 5_000;

/** Calls a verb, and judges the answer: `faults` says what is wrong with it, whatever was asked. */
export async function invoke(
  subject: Subject,
  ground: Ground,
  verb: string,
  { netconf, stdin, call, isText, unset = [] }: Changes,
): Promise<{ answer: Answer; faults: string[] }> {
  const without = unset.length === 0 ? [] : ["env", ...unset.flatMap((name) => ["-u", name])];
  const changed: Call = { timeout: limit, ...ground.call, ...call, under: [...without, ...(call?.under ?? [])] };
  const answer = await callPlugin(subject.path, verb, changed, stdin ?? { ...ground.netconf, ...netconf });
  return { answer, faults: faultsOfAnswer(verb, answer, isText) };
}

/** Prepares the trial of one rule. */
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
    isSilent: ({ stderr }, what = "nothing has to be said of it") => {
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
    isAsBefore: async (before, what = "all is as it was before", on = ground) => {
      t.same(await settledState(on, before), [], printable(what));
    },
  };
}
