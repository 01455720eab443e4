// Calls a plugin without the capabilities that it needs. The plugin reports the refused system
// call, changes nothing and keeps its records.
import t from "tap";
import { validAttachments } from "../../harness/attachment.ts";
import { groundOf } from "./subject.ts";
import { subjects } from "./subjects.ts";

const done = { status: 0, stdout: "" };
const setpriv = (...options: readonly string[]): readonly string[] => ["setpriv", ...options, "--"];
const without = (capability: string): readonly string[] =>
  setpriv(`--bounding-set=-${capability}`, `--inh-caps=-${capability}`);

/** The capabilities that a caller lacks, and its command line. The names complete "called …". */
const callers: Readonly<Record<string, { lacks: readonly string[]; under: readonly string[] }>> = {
  "without CAP_NET_ADMIN": { lacks: ["net_admin"], under: without("net_admin") },
  "without CAP_SYS_ADMIN": { lacks: ["sys_admin"], under: without("sys_admin") },
  "by root without any capability": { lacks: ["net_admin", "sys_admin"], under: without("all") },
  "by a user who is not root": {
    lacks: ["net_admin", "sys_admin"],
    under: setpriv("--reuid=65534", "--regid=65534", "--clear-groups"),
  },
};

/** The errnos by which the kernel or a file system refuses. */
const refused = /EPERM|EACCES/;

for (const subject of subjects)
  for (const [who, { lacks, under }] of Object.entries(callers))
    if (subject.capabilities.some((capability) => lacks.includes(capability))) {
      t.test(`${subject.name} called ${who}: ADD and STATUS fail and change nothing`, async (t) => {
        const { attachment, differences } = await groundOf(t, subject);
        const added = await attachment.run("ADD", {}, { under });
        t.match(added, { status: 1, error: { code: Number, msg: refused } });
        if (!lacks.includes("sys_admin")) t.match(added.error, { msg: /CAP_NET_ADMIN may be missing/ });
        t.same(await differences(), []);
        t.match(await attachment.run("STATUS", {}, { under }), { status: 1, error: { code: 50, msg: refused } });
        t.same(await differences(), []);
      });

      t.test(`${subject.name} called ${who}: DEL and GC fail and keep the record`, async (t) => {
        const { attachment, differences } = await groundOf(t, subject);
        await attachment.add();
        const answers = {
          DEL: await attachment.run("DEL", {}, { under }),
          GC: await attachment.run("GC", validAttachments(), { under }),
        };
        for (const [verb, answer] of Object.entries(answers)) {
          t.match(answer, { status: 1, error: { code: Number }, stdout: refused }, verb);
          t.notMatch(answer.stdout, /not found|no such file or directory/i, "containerd takes these words for success");
        }
        t.equal((await attachment.journal()).length, 1);
        t.match(await attachment.run("DEL"), done);
        t.same(await differences(), []);
      });
    } else
      t.test(`${subject.name} called ${who}, which it does not need: all verbs succeed`, async (t) => {
        const { attachment, differences } = await groundOf(t, subject);
        t.match(await attachment.run("STATUS", {}, { under }), done);
        t.match(await attachment.run("ADD", {}, { under }), { status: 0 });
        t.match(await attachment.check(), done);
        t.match(await attachment.run("DEL", {}, { under }), done);
        t.same(await differences(), []);
      });
