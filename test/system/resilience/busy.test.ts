// Calls in a namespace whose links and addresses change during a dump. The plugin discards an
// interrupted dump and repeats it; if no repetition helps, it asks the runtime to retry (code 11).
import t, { type Test } from "tap";
import { watch } from "../../harness/faults.ts";
import type { Answer } from "../../harness/plugin.ts";
import { crowd, makeNoise } from "./noise.ts";
import { type Ground, groundOf } from "./subject.ts";
import { subjects } from "./subjects.ts";

const done = { status: 0, stdout: "" };

/** An answer, and the dumps that the call requested. */
interface CallWithDumps {
  readonly answer: Answer;
  readonly dumps: number;
  /** The number of datagrams with NLM_F_DUMP_INTR. */
  readonly interruptions: number;
}

/**
 * Calls a verb and delays each `recvfrom` by `delayMs`, so that changes happen in the middle of a
 * dump.
 */
async function call(t: Test, { attachment }: Ground, verb: string, delayMs: number): Promise<CallWithDumps> {
  const { under, calls } = await watch(t, ["sendto", "recvfrom"], [`recvfrom:delay_enter=${1000 * delayMs}`]);
  const prevResult = { cniVersion: attachment.netconf["cniVersion"] };
  const answer = await attachment.run(verb, verb === "CHECK" ? { prevResult } : {}, { under });
  const texts = (await calls()).map(({ text }) => text);
  return {
    answer,
    dumps: texts.filter((text) => /^sendto\(.*(NLM_F_DUMP|NLM_F_REQUEST\|0x300)/.test(text)).length,
    interruptions: texts.filter((text) => text.includes("NLM_F_DUMP_INTR")).length,
  };
}

const rounds = 6;

/** Repeats a call while it fails with code 11 ("try again later"), as a runtime does. */
async function untilSuccess(work: () => Promise<CallWithDumps>): Promise<CallWithDumps[]> {
  const tries: CallWithDumps[] = [];
  do tries.push(await work());
  while (tries.at(-1)!.answer.error?.code === 11 && tries.length < 10);
  return tries;
}

for (const subject of subjects) {
  t.test(`${subject.name}: ADD, CHECK and DEL work in a busy namespace as in a quiet one`, async (t) => {
    const ground = await groundOf(t, subject, ({ namespace }) => crowd(namespace));
    const quiet = await call(t, ground, "ADD", 0);
    t.equal(quiet.interruptions, 0);
    await ground.attachment.del();
    const found: CallWithDumps[] = [];
    for (let round = 0; round < rounds; round++) {
      const noise = await makeNoise(t, ground.pod.namespace, 12);
      for (const verb of ["ADD", "CHECK", "DEL"]) {
        const tries = await untilSuccess(() => call(t, ground, verb, 2));
        t.match(tries.at(-1)!.answer, { status: 0 }, verb);
        found.push(...tries);
      }
      t.ok((await noise.end()) > 0);
      t.same(await ground.differences(), []);
    }
    const sum = (of: (one: CallWithDumps) => number): number => found.reduce((total, one) => total + of(one), 0);
    t.comment(
      `${found.length} calls, ${sum(({ dumps }) => dumps)} dumps, ${sum(({ interruptions }) => interruptions)} interruptions`,
    );
    if (quiet.dumps > 0) t.ok(sum(({ interruptions }) => interruptions) > rounds, "the namespace was busy enough");
  });

  t.test(
    `${subject.name}: in a namespace that changes all the time, each call succeeds, or fails with code 11 and changes nothing`,
    async (t) => {
      const ground = await groundOf(t, subject, ({ namespace }) => crowd(namespace));
      const quiet = await call(t, ground, "ADD", 0);
      await ground.attachment.del();
      const usesDumps = quiet.dumps > 0;
      /**
       * Calls a verb and returns whether it failed. It need not: on a busy machine the noise may
       * pause long enough for a whole dump.
       */
      const fails = async (verb: string): Promise<boolean> => {
        const noise = await makeNoise(t, ground.pod.namespace, 1);
        const { answer, dumps, interruptions } = await call(t, ground, verb, 20);
        t.comment(`${verb}: ${await noise.end()} changes, ${dumps} dumps, ${interruptions} interruptions`);
        const retry = { status: 1, error: { code: 11, msg: /interrupted by changes 10 times in a row \(EINTR\)/ } };
        t.match(answer, usesDumps && answer.status !== 0 ? retry : { status: 0 }, verb);
        return answer.status !== 0;
      };
      if (await fails("ADD")) t.same(await ground.differences(), []);
      else await ground.attachment.del();
      await ground.attachment.add();
      await fails("CHECK");
      t.match(await ground.attachment.check(), done);
      if (await fails("DEL")) t.equal((await ground.attachment.journal()).length, 1, "the record is kept");
      t.match(await ground.attachment.run("DEL"), done);
      t.same(await ground.differences(), []);
    },
  );
}
