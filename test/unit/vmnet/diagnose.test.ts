// `diagnose` as a command line: which pod is looked at, and what becomes of what is seen.
import t from "tap";
import { diagnoseWith } from "../../../commands/vmnet/diagnose.ts";
import type { PodSurvey } from "../../../lib/diagnosis/survey.ts";
import { type Ended, missing, runCommand, type Surroundings } from "../command/terminal.ts";
import { healthy, withLink } from "../diagnosis/surveys.ts";

/** Runs vmnet in front of a pod, and records which paths and directories were surveyed. */
function run(
  args: readonly string[],
  { survey, ...surroundings }: Surroundings & { readonly survey?: PodSurvey } = {},
): Ended & { readonly surveyed: readonly (readonly string[])[] } {
  const surveyed: string[][] = [];
  const command = diagnoseWith((path, directories) => {
    surveyed.push([path, ...directories]);
    return survey ?? missing(path);
  });
  return { ...runCommand({ name: "vmnet", about: "shows" }, { commands: [command] }, args, surroundings), surveyed };
}

const directories = ["/run/bridge-binding", "/run/passt-binding", "/run/sriov-vfio"];

t.test("diagnose finds a pod by a path, a name below /run/netns or a process, and reads its records", async (t) => {
  for (const [args, ...looked] of [
    [["/var/run/netns/blue"], "/var/run/netns/blue", ...directories],
    [["blue"], "/run/netns/blue", ...directories],
    [["4711"], "/proc/4711/ns/net", ...directories],
  ] as const)
    t.strictSame(run(["diagnose", ...args], { survey: healthy }).surveyed, [looked]);
});

t.test("the exit status tells whether there are findings", async (t) => {
  const survey = withLink("tap0", { up: false, carrier: false });
  for (const flags of [[], ["--json"]]) {
    t.match(run(["diagnose", ...flags, "blue"], { survey: healthy }), { status: 0, stderr: "" });
    t.match(run(["diagnose", ...flags, "blue"], { survey }), { status: 1, stderr: "", stdout: /link-down/ });
  }
  t.match(run(["diagnose"], { survey }), { status: 2, stdout: "", stderr: /is missing; usage/ });
  t.match(run(["diagnose", "blue"]), { status: 3, stdout: "", stderr: /ENOENT/ });
});

t.test("diagnose prints colours on a terminal only, and none in JSON or with NO_COLOR", async (t) => {
  const survey = withLink("tap0", { up: false, carrier: false });
  const printed = (args: readonly string[], terminal: boolean, env = {}): string =>
    run(["diagnose", ...args], { survey, terminal, env }).stdout;
  t.match(printed(["blue"], true), "\x1b[31merror");
  for (const plain of [
    printed(["blue"], false),
    printed(["--json", "blue"], true),
    printed(["blue"], true, { NO_COLOR: "1" }),
  ])
    t.notMatch(plain, "\x1b");
});

t.test("what a link's name could do to a terminal is made visible, colours or none", async (t) => {
  const survey = withLink("tap0", { name: "t\x1b[2J\x07", master: "k6t-eth0" });
  for (const terminal of [true, false]) {
    const { stdout } = run(["diagnose", "blue"], { survey, terminal });
    t.notMatch(stdout, "\x1b[2J");
    t.notMatch(stdout, "\x07");
    t.match(stdout, "t\\x1b[2J\\x07");
  }
});

t.test("a link's name cannot colour the picture, nor reverse its text", async (t) => {
  const survey = withLink("tap0", { name: "\x1b[31mX\x9b\u202e", master: "k6t-eth0" });
  for (const flags of [[], ["--json"]]) {
    const { stdout } = run(["diagnose", ...flags, "blue"], { survey });
    for (const character of ["\x1b", "\x9b", "\u202e"]) t.notMatch(stdout, character);
    t.match(stdout, flags.length === 0 ? "\\x1b[31mX\\x9b\\u{202e}" : "\\u001b[31mX\\u009b\\u202e");
  }
});
