// Standard output and the exit status: one document, written last, and nothing left of an ADD whose
// result nobody got.
import { callPlugin } from "../../../harness/plugin.ts";
import type { Rule } from "../rule.ts";

export const output: readonly Rule[] = [
  {
    name: "S3: an ADD whose result cannot be handed over fails, and nothing is left of it",
    attaches: true,
    check: async ({ t, subject, ground, isAsBefore }) => {
      const before = await ground.state();
      const under = ["sh", "-c", 'exec "$@" >/dev/full', "sh"];
      const { status, stdout, stderr } = await callPlugin(
        subject.path,
        "ADD",
        { ...ground.call, under },
        ground.netconf,
      );
      t.not(status, 0);
      t.equal(stdout, "");
      t.match(stderr, /ENOSPC/, "the log says why");
      await isAsBefore(before);
    },
  },
  {
    name: "S5: an error that cannot be handed over is a failure all the same",
    check: async ({ t, subject, ground }) => {
      const under = ["sh", "-c", 'exec "$@" >/dev/full', "sh"];
      for (const verb of ["ADD", "DEL", "VERSION"]) {
        const { status, signal } = await callPlugin(subject.path, verb, { ...ground.call, under }, "{");
        t.ok(status !== undefined && status > 0, `${verb}: ${status ?? signal}`);
      }
    },
  },
  {
    name: "S3: without a standard output DEL works, and what others wrote to is not written to",
    attaches: true,
    check: async ({ t, ground, run, succeeds, isAsBefore }) => {
      const before = await ground.state();
      await succeeds("ADD");
      await succeeds("DEL", { call: { under: ["sh", "-c", 'exec "$@" >&- 2>&-', "sh"] } });
      await isAsBefore(before);
      const { status } = await run("STATUS", { call: { under: ["sh", "-c", 'exec "$@" 0<&0 2>&-', "sh"] } });
      t.equal(status, 0);
    },
  },
  {
    name: "S2: the exit status is 0 or not, as a runtime can tell it from a signal and from the shell's own",
    check: async ({ t, run }) => {
      const { status } = await run("ADD", { stdin: "{" });
      t.ok(status! > 0 && status! < 126, `${status}`);
    },
  },
];
