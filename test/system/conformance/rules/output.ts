// Standard output and the exit status: one document, written last. If the result of ADD cannot be
// written, ADD is undone.
import { callPlugin } from "../../../harness/plugin.ts";
import type { Rule } from "../rule.ts";

export const output: readonly Rule[] = [
  {
    name: "S3: an ADD that cannot write its result fails, and leaves nothing behind",
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
    name: "S5: a call that cannot write its error fails with an exit status",
    check: async ({ t, subject, ground }) => {
      const under = ["sh", "-c", 'exec "$@" >/dev/full', "sh"];
      for (const verb of ["ADD", "DEL", "VERSION"]) {
        const { status, signal } = await callPlugin(subject.path, verb, { ...ground.call, under }, "{");
        t.ok(status !== undefined && status > 0, `${verb}: ${status ?? signal}`);
      }
    },
  },
  {
    name: "S3: DEL without a standard output succeeds, and writes to no other file instead",
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
    name: "S2: the exit status is 0 or an error's, and never one that a signal or the shell would set",
    check: async ({ t, run }) => {
      const { status } = await run("ADD", { stdin: "{" });
      t.ok(status! > 0 && status! < 126, `${status}`);
    },
  },
];
