// The log: a line on standard error, and in a file if asked, that harms nothing and gives nothing away.
import { readFileSync, statSync, symlinkSync } from "node:fs";
import { execa } from "execa";
import type { Rule } from "../rule.ts";

const line = /^time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=(error|warn|info) plugin=\S+ verb=\S+ /;

export const log: readonly Rule[] = [
  {
    name: "ours: a failure is one line on standard error, with its code and words",
    check: async ({ t, subject, refused }) => {
      const { stderr, error } = await refused("ADD", { netconf: { zzzzzzzz: 1 } }, { code: 7 });
      t.match(stderr, line);
      t.equal(stderr.split("\n").length, 2, "one line");
      t.match(stderr, ` level=error plugin=${subject.name} verb=ADD `);
      t.ok(stderr.includes(` code=7 msg=${JSON.stringify(error!.msg)}`));
    },
  },
  {
    name: "ours: at level info every call is one line, and none has what CNI_ARGS or the configuration hold",
    attaches: true,
    check: async ({ t, succeeds }) => {
      const netconf = { logLevel: "info", args: { password: "s3cret" } };
      const call = { args: "IgnoreUnknown=1;K8S_POD_NAMESPACE=vms;K8S_POD_NAME=blue;TOKEN=s3cret" };
      for (const verb of ["ADD", "STATUS", "DEL", "DEL"]) {
        const { stderr } = await succeeds(verb, { netconf, call });
        t.match(stderr, line);
        t.match(stderr, ` verb=${verb} `);
        t.match(stderr, " pod=vms/blue ");
        t.equal(stderr.split("\n").length, 2, "one line");
        t.notMatch(stderr, "s3cret");
      }
    },
  },
  {
    name: "ours: logFile is appended to, line by line, by twenty calls at once, and is root's alone",
    check: async ({ t, run }) => {
      const file = `${t.testdir()}/log`;
      const calls = await Promise.all(
        Array.from({ length: 20 }, () => run("DEL", { netconf: { logLevel: "info", logFile: file } })),
      );
      const lines = readFileSync(file, "utf8").split(/(?<=\n)/);
      t.same(lines.toSorted(), calls.map(({ stderr }) => stderr).toSorted());
      t.equal(statSync(file).mode & 0o7777, 0o600);
    },
  },
  {
    name: "ours: a logFile that cannot be written fails no call, waits for nobody, and leads nowhere else",
    check: async ({ t, succeeds }) => {
      const directory = t.testdir({ victim: "" });
      symlinkSync(`${directory}/victim`, `${directory}/link`);
      await execa("mkfifo", [`${directory}/fifo`]);
      for (const logFile of ["/dev/full", directory, "/nowhere/log", `${directory}/link`, `${directory}/fifo`]) {
        const { stderr } = await succeeds("DEL", { netconf: { logLevel: "info", logFile } }, logFile);
        const [told, more, ...rest] = stderr.split("\n");
        t.match(told, line);
        t.match(more, /: logFile: (open|write) .* \((ENOSPC|EISDIR|ENOENT|ELOOP|ENXIO)\)$/);
        t.same(rest, [""]);
      }
      t.equal(readFileSync(`${directory}/victim`, "utf8"), "");
    },
  },
];
