// From arguments to a verb for people, and to an exit status.
import { explain } from "../cni/failure.ts";
import { nearest } from "../cni/spelling.ts";
import { read, UsageError } from "./arguments.ts";
import { type AnyPlugin, type Command, exit, type Terminal } from "./command.ts";
import { commands } from "./commands.ts";
import { paintFor, printable } from "./paint.ts";

/**
 * Runs the verb that the arguments name and gives the exit status: the verb's own (0 where all is well, 1 where it found something), 2 where the arguments make no sense, 3 where what they ask
 * for could not be done.
 */
export function commandLine(plugin: AnyPlugin, [name = "", ...args]: readonly string[], terminal: Terminal): number {
  const command = commands.find((one) => one.name === (name === "--version" ? "version" : name));
  try {
    if (name === "--help" || name === "-h" || name === "help") {
      const about = commands.find((one) => one.name === args[0]);
      if (args[0] !== undefined && about === undefined) throw new UsageError(noVerb(args[0]));
      terminal.writeStdout(about === undefined ? help(plugin) : helpOn(plugin.name, about));
      return exit.healthy;
    }
    if (command === undefined) throw new UsageError(noVerb(name));
    if (asksForHelp(args)) {
      terminal.writeStdout(helpOn(plugin.name, command));
      return exit.healthy;
    }
    const given = read(args, command.options, command.operands);
    const print = (text: string): void => terminal.writeStdout(`${text}\n`);
    return command.run({ plugin, given, print, paint: paintFor(terminal), terminal });
  } catch (failure) {
    const wrong = failure instanceof UsageError;
    const usage = command === undefined ? `${plugin.name} --help` : usageOf(plugin.name, command);
    const { msg, details } = wrong ? { msg: failure.message, details: `usage: ${usage}` } : explain(failure);
    terminal.writeStderr(`${plugin.name}: ${printable(details === "" ? msg : `${msg}; ${details}`)}\n`);
    return wrong ? exit.usage : exit.impossible;
  }
}

function noVerb(name: string): string {
  const meant = nearest(name, [...commands.map((one) => one.name), "--help", "--version"]);
  return `${name}: is no verb of this plugin's${meant === undefined ? "" : `, did you mean ${meant}?`}`;
}

function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return (end < 0 ? args : args.slice(0, end)).some((arg) => arg === "--help" || arg === "-h");
}

/** What `--help` prints. */
function help({ name, about }: { readonly name: string; readonly about: string }): string {
  return text(
    `${name}: ${about}`,
    "",
    "A container runtime calls it by CNI_COMMAND and a configuration on standard input. For people:",
    "",
    ...columns(commands.map((command) => [`${name} ${command.name}`, command.about])),
    "",
    `What a verb takes, says ${name} VERB --help.`,
    ...statuses,
  );
}

/** What `VERB --help` prints. */
function helpOn(plugin: string, command: Command): string {
  const { about, options, more = [] } = command;
  return text(
    `${usageOf(plugin, command)}`,
    "",
    `${about[0]!.toUpperCase()}${about.slice(1)}.`,
    ...(more.length === 0 ? [] : ["", ...more]),
    "",
    ...columns([
      ...options.map(({ name, value, about }): [string, string] => [
        `--${name}${value === undefined ? "" : ` ${value}`}`,
        about,
      ]),
      ["--help", "print this"],
    ]),
    "",
    ...statuses,
  );
}

const statuses = [
  "Exit status: 0 all is well, 1 something was found, 2 the command line makes no sense, 3 it could not be done.",
];

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}

function text(...lines: readonly string[]): string {
  return `${lines.join("\n")}\n`;
}

function usageOf(plugin: string, { name, usage }: Command): string {
  return `${plugin} ${name} ${usage}`.trimEnd();
}
