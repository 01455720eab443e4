// The log: one line on standard error, and in a file if configured. It never fails a call, and
// never holds the content of the configuration.
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import type { Test } from "tap";
import type { Rule } from "../rule.ts";

const line = /^time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=(error|warn|info) plugin=\S+ verb=\S+ /;

export const log: readonly Rule[] = [
  {
    name: "ours: a failure is one line on standard error, with its code and message",
    check: async ({ t, subject, refused }) => {
      const { stderr, error } = await refused("ADD", { netconf: { zzzzzzzz: 1 } }, { code: 7 });
      t.match(stderr, line);
      t.equal(stderr.split("\n").length, 2, "one line");
      t.match(stderr, ` level=error plugin=${subject.name} verb=ADD `);
      t.ok(stderr.includes(` code=7 msg=${JSON.stringify(error!.msg)}`));
    },
  },
  {
    name: "ours: at level info every call is one line, without the content of CNI_ARGS or the configuration",
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
    name: "ours: twenty concurrent calls append whole lines to logFile, which belongs to root alone",
    check: async ({ t, run }) => {
      const file = newLogFile(t);
      const calls = await Promise.all(
        Array.from({ length: 20 }, () => run("DEL", { netconf: { logLevel: "info", logFile: file } })),
      );
      const lines = readFileSync(file, "utf8").split(/(?<=\n)/);
      t.same(lines.toSorted(), calls.map(({ stderr }) => stderr).toSorted());
      t.equal(statSync(file).mode & 0o7777, 0o600);
    },
  },
  {
    name: "ours: a logFile that cannot be written fails and delays no call, and is not followed if it is a link",
    check: async ({ t, succeeds }) => {
      const victim = `${t.testdir({ victim: "" })}/victim`;
      for (const prepare of [
        (file: string) => symlinkSync(victim, file),
        (file: string) => symlinkSync("/dev/full", file),
        (file: string) => mkdirSync(file),
        (file: string) => execFileSync("mkfifo", [file]),
      ]) {
        const logFile = newLogFile(t);
        prepare(logFile);
        const { stderr } = await succeeds("DEL", { netconf: { logLevel: "info", logFile } }, logFile);
        const [told, more, ...rest] = stderr.split("\n");
        t.match(told, line);
        t.match(more, /: logFile: open .* \((EISDIR|ELOOP|ENXIO)\)$/);
        t.same(rest, [""]);
      }
      t.equal(readFileSync(victim, "utf8"), "");
    },
  },
  {
    name: "ours: ADD refuses a logFile in another directory; DEL ignores it and succeeds",
    check: async ({ t, run, refused }) => {
      const victim = `${t.testdir({ victim: "" })}/victim`;
      for (const logFile of [victim, "/etc/ld.so.preload", `${logDirectory}/../x`, `${logDirectory}/a b`]) {
        await refused("ADD", { netconf: { logFile } }, { code: 7, says: /logFile: must be a file in/, what: logFile });
        const { status, stderr } = await run("DEL", { netconf: { logFile } });
        t.equal(status, 0, logFile);
        t.match(stderr, /logFile: must be a file in .*; nothing is written to it/);
      }
      t.equal(readFileSync(victim, "utf8"), "");
    },
  },
];

const logDirectory = "/var/log/kubevirt-cni-bindings";

/** The path of a log file that does not exist yet, and is removed after the test. */
function newLogFile(t: Test): string {
  const file = `${logDirectory}/test-${randomUUID()}.log`;
  mkdirSync(logDirectory, { recursive: true, mode: 0o700 });
  t.teardown(() => rmSync(file, { recursive: true, force: true }));
  return file;
}
