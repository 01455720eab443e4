// What becomes of a command line: which verb, what is printed where, which exit status.
import t from "tap";
import { pluginCommands } from "../../../lib/command/commands.ts";
import { binding, run } from "./terminal.ts";

const { commands } = pluginCommands;

for (const name of ["--help", "-h", "help"])
  t.test(`${name} says what it is and which verbs there are`, async (t) => {
    const { status, stdout, stderr } = run(binding, [name]);
    t.match({ status, stderr }, { status: 0, stderr: "" });
    t.match(stdout, /^a-binding: binds\n/);
    for (const { name, about } of commands) t.match(stdout, new RegExp(`^ {2}a-binding ${name} +${about}$`, "m"));
    t.match(stdout, /^Exit status: 0 /m);
  });

for (const { name, usage, options } of commands)
  t.test(`${name} --help says how it is used, and its usage has every option that it takes`, async (t) => {
    const asked = [
      [name, "--help"],
      [name, "-h"],
      ["help", name],
    ].map((args) => run(binding, args));
    for (const one of asked) t.same(one, asked[0]);
    t.match(asked[0], { status: 0, stderr: "" });
    t.ok(asked[0]!.stdout.startsWith(`a-binding ${name} ${usage}`.trimEnd()));
    for (const option of options) {
      const written = `--${option.name}${option.value === undefined ? "" : ` ${option.value}`}`;
      t.ok(usage.includes(written), `${written} is in ${usage}`);
      t.ok(asked[0]!.stdout.includes(`\n  ${written} `));
    }
  });

t.test("an unknown command is refused with the nearest known one and status 2", async (t) => {
  t.same(run(binding, ["vesrion"]), {
    status: 2,
    stdout: "",
    stderr: "a-binding: vesrion: unknown command; did you mean version?; usage: a-binding --help\n",
  });
  t.match(run(binding, ["help", "frobnicate"]), {
    status: 2,
    stderr: /frobnicate: unknown command; usage/,
  });
  t.match(run(binding, [""]), { status: 2, stderr: /unknown command/ });
});

t.test("an unexpected argument is named, with the command's usage", async (t) => {
  t.same(run(binding, ["version", "now"]), {
    status: 2,
    stdout: "",
    stderr: "a-binding: unexpected argument: now; usage: a-binding version [--json]\n",
  });
});

t.test("control characters in arguments are escaped", async (t) => {
  const { stderr } = run(binding, ["version", "\x1b]0;title\x07"]);
  t.notOk(["\x1b", "\x07"].some((one) => stderr.includes(one)));
  t.match(stderr, /u001b/);
});
