// Stands in for plugins on CNI_PATH, calls the real ones, and remembers what they were told, what
// they saw, and what they answered.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Netconf } from "./attachment.ts";
import type { Failure, Result } from "./plugin.ts";
import type { Scope } from "./scope.ts";

/** One call of a plugin. */
export interface RecordedCall {
  /** The plugin's type, such as `bridge-binding`. */
  readonly plugin: string;
  /** CNI_COMMAND. */
  readonly verb: string;
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Standard input; undefined where there was none. */
  readonly netconf?: Netconf;
  /**
   * The names of all links in CNI_NETNS when the call came, sorted; undefined where there is no
   * such namespace.
   */
  readonly links?: readonly string[];
  readonly status: number;
  /** Standard output, if there was any: a result after success, an error after a failure. */
  readonly answer?: Result | Failure;
}

/** Plugins that are watched. */
export interface Recorder {
  /** For CNI_PATH: all the plugins, and nothing else. */
  readonly directory: string;
  /** All calls so far, as they came. */
  calls(): RecordedCall[];
  /** The same as text, such as `ADD bridge-binding net1`, without those of `except`. */
  order(...except: readonly string[]): string[];
}

const script = (plugin: string, records: string): string => `#!/bin/sh
call=$(mktemp -d '${records}/'"$(date +%s.%N)"-XXXXXX)
env -0 >"$call/env"
cat >"$call/stdin"
[ -e "$CNI_NETNS" ] && nsenter --net="$CNI_NETNS" cat /proc/net/dev >"$call/links"
'${plugin}' <"$call/stdin" >"$call/stdout"
status=$?
echo '${basename(plugin)}' $status >"$call/ended"
cat "$call/stdout"
exit $status
`;

/**
 * Puts shims for executables, each named as its file is, into a directory of their own; gone when
 * `scope` ends.
 */
export function recordCalls(scope: Scope, executables: readonly string[]): Recorder {
  const state = mkdtempSync(join(tmpdir(), "calls-"));
  scope.teardown(() => rmSync(state, { recursive: true }));
  const [directory, records] = [join(state, "bin"), join(state, "records")];
  for (const each of [directory, records]) mkdirSync(each);
  for (const executable of executables)
    writeFileSync(join(directory, basename(executable)), script(executable, records), { mode: 0o755 });
  const calls = (): RecordedCall[] =>
    readdirSync(records)
      .sort()
      .map((name) => readCall(join(records, name)));
  return {
    directory,
    calls,
    order: (...except) =>
      calls()
        .filter(({ plugin }) => !except.includes(plugin))
        .map(({ plugin, verb, env }) => [verb, plugin, env["CNI_IFNAME"]].filter(Boolean).join(" ")),
  };
}

function readCall(directory: string): RecordedCall {
  const files = readdirSync(directory);
  const read = (name: string): string => (files.includes(name) ? readFileSync(join(directory, name), "utf8") : "");
  const env = Object.fromEntries(
    read("env")
      .split("\0")
      .filter((pair) => pair.includes("="))
      .map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
  );
  const [plugin = "", status] = read("ended").trim().split(" ");
  const [stdin, stdout] = [read("stdin"), read("stdout")];
  return {
    plugin,
    verb: env["CNI_COMMAND"] ?? "",
    env,
    status: Number(status),
    ...(stdin !== "" && { netconf: JSON.parse(stdin) }),
    ...(stdout !== "" && { answer: JSON.parse(stdout) }),
    ...(files.includes("links") && { links: linkNames(read("links")) }),
  };
}

/** Of /proc/net/dev: after two lines of headings, each begins with a name and a colon. */
function linkNames(text: string): string[] {
  const lines = text.trimEnd().split("\n").slice(2);
  return lines.map((line) => line.slice(0, line.indexOf(":")).trim()).sort();
}
