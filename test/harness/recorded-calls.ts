// Records the calls of plugins on CNI_PATH.
//
// A shell script in each plugin's place stores environment, standard input, and the links of
// CNI_NETNS. It then calls the real plugin and stores the answer.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Netconf } from "./attachment.ts";
import type { Failure, Result } from "./plugin.ts";
import type { Scope } from "./scope.ts";

export interface RecordedCall {
  /** The plugin's type, such as `bridge-binding`. */
  readonly plugin: string;
  /** CNI_COMMAND. */
  readonly verb: string;
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Standard input. Undefined if it was empty. */
  readonly netconf?: Netconf;
  /**
   * The sorted names of all links in CNI_NETNS before the plugin ran. Undefined if that namespace
   * did not exist.
   */
  readonly links?: readonly string[];
  readonly status: number;
  /**
   * Standard output: a result after success, an error after a failure. Undefined if it was empty.
   */
  readonly answer?: Result | Failure;
}

export interface Recorder {
  /** The value for CNI_PATH. The directory holds only the recorded plugins. */
  readonly directory: string;
  /** All calls so far, in order. */
  calls(): RecordedCall[];
  /**
   * All calls as text, such as `ADD bridge-binding net1`, without those of the plugins `except`.
   */
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
 * Creates a directory with a recording script for each executable, under the executable's file
 * name. It is removed when `scope` ends.
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

/**
 * Returns the sorted link names in /proc/net/dev. Two header lines come first, then each line
 * starts with a name and a colon.
 */
function linkNames(text: string): string[] {
  const lines = text.trimEnd().split("\n").slice(2);
  return lines.map((line) => line.slice(0, line.indexOf(":")).trim()).sort();
}
