// A namespace in which links and addresses come and go while it is listed: an interrupted list is
// asked for again, never believed, and where that does not help the runtime is told to.
import t, { type Test } from "tap";
import { watch } from "../../harness/faults.ts";
import type { Answer } from "../../harness/plugin.ts";
import { crowd, makeNoise } from "./noise.ts";
import { type Ground, groundOf } from "./subject.ts";
import { subjects } from "./subjects.ts";

const done = { status: 0, stdout: "" };

/** What a call had listed for it. */
interface Listed {
  readonly answer: Answer;
  /** How many lists it asked for. */
  readonly dumps: number;
  /** In how many datagrams the kernel told of an interruption. */
  readonly interruptions: number;
}

/**
 * Calls a verb that waits so many milliseconds before each datagram that it receives: so is there
 * time for changes in the middle of a list.
 */
async function call(t: Test, { attachment }: Ground, verb: string, delay: number): Promise<Listed> {
  const { under, calls } = await watch(t, ["sendto", "recvfrom"], [`recvfrom:delay_enter=${1000 * delay}`]);
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

/** As a runtime calls: again where it is told to, which chance may bring about. */
async function untilSuccess(work: () => Promise<Listed>): Promise<Listed[]> {
  const tries: Listed[] = [];
  do tries.push(await work());
  while (tries.at(-1)!.answer.error?.code === 11 && tries.length < 10);
  return tries;
}

for (const subject of subjects) {
  t.test(`${subject.name}: in a busy namespace ADD, CHECK and DEL do what they do in a quiet one`, async (t) => {
    const ground = await groundOf(t, subject, ({ namespace }) => crowd(namespace));
    const quiet = await call(t, ground, "ADD", 0);
    t.equal(quiet.interruptions, 0);
    await ground.attachment.del();
    const found: Listed[] = [];
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
    const sum = (of: (one: Listed) => number): number => found.reduce((total, one) => total + of(one), 0);
    t.comment(
      `${found.length} calls, ${sum(({ dumps }) => dumps)} lists, ${sum(({ interruptions }) => interruptions)} interruptions`,
    );
    if (quiet.dumps > 0) t.ok(sum(({ interruptions }) => interruptions) > rounds, "it was busy enough");
  });

  t.test(
    `${subject.name}: in a namespace that never rests each call succeeds, or changes nothing and says so`,
    async (t) => {
      const ground = await groundOf(t, subject, ({ namespace }) => crowd(namespace));
      const quiet = await call(t, ground, "ADD", 0);
      await ground.attachment.del();
      const lists = quiet.dumps > 0;
      /**
       * Whether the call was told to try again: on a busy machine the namespace may have rested
       * long enough.
       */
      const isTold = async (verb: string): Promise<boolean> => {
        const noise = await makeNoise(t, ground.pod.namespace, 1);
        const { answer, dumps, interruptions } = await call(t, ground, verb, 20);
        t.comment(`${verb}: ${await noise.end()} changes, ${dumps} lists, ${interruptions} interruptions`);
        const told = { status: 1, error: { code: 11, msg: /interrupted by changes 10 times in a row \(EINTR\)/ } };
        t.match(answer, lists && answer.status !== 0 ? told : { status: 0 }, verb);
        return answer.status !== 0;
      };
      if (await isTold("ADD")) t.same(await ground.differences(), []);
      else await ground.attachment.del();
      await ground.attachment.add();
      await isTold("CHECK");
      t.match(await ground.attachment.check(), done);
      if (await isTold("DEL")) t.equal((await ground.attachment.journal()).length, 1, "what is left is on record");
      t.match(await ground.attachment.run("DEL"), done);
      t.same(await ground.differences(), []);
    },
  );
}
