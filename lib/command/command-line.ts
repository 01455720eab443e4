// Runs the operator command that the arguments name.
import { inOneLine } from "../cni/failure.ts";
import { nearest } from "../cni/spelling.ts";
import { printable } from "../printable.ts";
import { read, UsageError } from "./arguments.ts";
import { type Command, type CommandSet, exit, type Program, type Terminal } from "./command.ts";
import { paintFor } from "./paint.ts";

/**
 * Runs the command that the arguments name. Returns the exit status: the command's own (0 no
 * problems, 1 problems found), 2 if the command line is wrong, 3 if the command failed.
 */
export function commandLine<P extends Program>(
  program: P,
  set: CommandSet<P>,
  [name = "", ...args]: readonly string[],
  terminal: Terminal,
): number {
  const command = commandOf(set, name === "--version" ? "version" : name);
  try {
    if (name === "--help" || name === "-h" || name === "help") {
      const [about] = args;
      terminal.writeStdout(about === undefined ? help(program, set) : helpOn(program, required(set, about)));
      return exit.healthy;
    }
    if (command === undefined) throw new UsageError(unknownCommand(set, name));
    if (asksForHelp(args)) {
      terminal.writeStdout(helpOn(program, command));
      return exit.healthy;
    }
    const given = read(args, command.options, command.operands);
    const print = (text: string): void => terminal.writeStdout(`${text}\n`);
    return command.run({ program, given, print, paint: paintFor(terminal), terminal });
  } catch (failure) {
    const isUsage = failure instanceof UsageError;
    const usage = command === undefined ? `${program.name} --help` : usageOf(program, command);
    const text = isUsage ? `${failure.message}; usage: ${usage}` : inOneLine(failure);
    terminal.writeStderr(`${program.name}: ${printable(text)}\n`);
    return isUsage ? exit.usage : exit.failed;
  }
}

function commandOf<P extends Program>({ commands }: CommandSet<P>, name: string): Command<P> | undefined {
  return commands.find((one) => one.name === name);
}

function required<P extends Program>(set: CommandSet<P>, name: string): Command<P> {
  const command = commandOf(set, name);
  if (command === undefined) throw new UsageError(unknownCommand(set, name));
  return command;
}

function unknownCommand<P extends Program>({ commands, moved = {} }: CommandSet<P>, name: string): string {
  const program = Object.hasOwn(moved, name) ? moved[name] : undefined;
  if (program !== undefined) return `${name}: moved to ${program}, in the same directory; run ${program} ${name}`;
  const suggestion = nearest(name, [...commands.map((one) => one.name), "--help", "--version"]);
  return `${name}: unknown command${suggestion === undefined ? "" : `; did you mean ${suggestion}?`}`;
}

function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return (end < 0 ? args : args.slice(0, end)).some((arg) => arg === "--help" || arg === "-h");
}

/** Returns the text of `--help`. */
function help<P extends Program>({ name, about }: P, { commands, intro }: CommandSet<P>): string {
  return text(
    `${name}: ${about}`,
    "",
    ...(intro === undefined ? [] : [intro, ""]),
    ...columns(commands.map((command) => [`${name} ${command.name}`, command.about])),
    "",
    `${name} COMMAND --help prints the options of a command.`,
    statuses,
  );
}

/** Returns the text of `COMMAND --help`. */
function helpOn<P extends Program>(program: P, command: Command<P>): string {
  const { about, options, more = [] } = command;
  return text(
    usageOf(program, command),
    "",
    `${about[0]!.toUpperCase()}${about.slice(1)}.`,
    ...(more.length === 0 ? [] : ["", ...more]),
    "",
    ...columns([
      ...options.map(({ name, value, about }): [string, string] => [
        `--${name}${value === undefined ? "" : ` ${value}`}`,
        about,
      ]),
      ["--help", "print this text"],
    ]),
    "",
    statuses,
  );
}

const statuses = "Exit status: 0 no problems, 1 problems found, 2 usage error, 3 failed.";

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}

function text(...lines: readonly string[]): string {
  return `${lines.join("\n")}\n`;
}

function usageOf<P extends Program>({ name }: P, command: Command<P>): string {
  return `${name} ${command.name} ${command.usage}`.trimEnd();
}
