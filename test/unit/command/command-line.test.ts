// What becomes of a command line: which verb, what is printed where, which exit status.
import t from "tap";
import { commandLine, type Terminal } from "../../../lib/command/command-line.ts";

function run(...args: string[]) {
  const out = { stdout: "", stderr: "" };
  const plugin = { name: "a-binding", about: "binds" };
  const status = commandLine(plugin as never, args, {
    writeStdout: (text) => {
      out.stdout += text;
    },
    writeStderr: (text) => {
      out.stderr += text;
    },
  } as Terminal);
  return { status, ...out };
}

for (const name of ["--help", "-h", "help"])
  t.test(`${name} says what it is and which verbs there are`, async (t) => {
    const { status, stdout, stderr } = run(name);
    t.match({ status, stderr }, { status: 0, stderr: "" });
    t.match(stdout, /^a-binding: binds\n/);
    t.match(stdout, /^ {2}a-binding version +says which release/m);
  });

t.test("a verb that there is not is named, and the exit status is 2", async (t) => {
  t.same(run("chekc"), {
    status: 2,
    stdout: "",
    stderr: "a-binding: chekc: is no verb of this plugin's; usage: a-binding --help\n",
  });
});

t.test("an argument that a verb does not take is named, with how it is used", async (t) => {
  t.same(run("version", "now"), {
    status: 2,
    stdout: "",
    stderr: "a-binding: now: is not expected; usage: a-binding version\n",
  });
});
