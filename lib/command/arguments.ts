// Reads the arguments of a command: `--flag`, `--option VALUE`, `--option=VALUE`, operands, and
// `--`, after which everything is an operand.
import { nearest } from "../cni/spelling.ts";

/** One option. Its name is without the dashes. */
export interface Option {
  readonly name: string;
  /** The kind of value in capitals, such as `DIR`. Absent for a flag. */
  readonly value?: string;
  /** What the option is for, in a few words. */
  readonly about: string;
}

/** The arguments, read. */
export interface Given {
  readonly flags: ReadonlySet<string>;
  readonly values: Readonly<Record<string, string | undefined>>;
  readonly operands: readonly string[];
}

/** The option of every command that prints findings. */
export const json: Option = { name: "json", about: "print JSON, for programs" };

/**
 * A command line that the command does not accept. The message says what is wrong and what is
 * expected.
 */
export class UsageError extends Error {}

/**
 * Reads the arguments. Throws a UsageError that names the first wrong one. `most` is the maximum
 * number of operands.
 */
export function read(args: readonly string[], options: readonly Option[], most = 0): Given {
  const flags = new Set<string>();
  const values: Record<string, string> = Object.create(null);
  const operands: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!;
    if (arg === "--") {
      operands.push(...args.slice(at + 1));
      break;
    }
    // A dash by itself stands for standard input.
    if (!arg.startsWith("-") || arg === "-") {
      operands.push(arg);
      continue;
    }
    const [written, attached] = divided(arg);
    const option = options.find(({ name }) => `--${name}` === written);
    if (option === undefined) throw new UsageError(unknown(written, options));
    if (option.value === undefined) {
      if (attached !== undefined) throw new UsageError(`${written}: takes no value, got ${quoted(attached)}`);
      flags.add(option.name);
      continue;
    }
    // An argument that looks like an option is one. A value that looks like an option needs "=".
    const next = args[at + 1];
    const value = attached ?? (next === undefined || (next.startsWith("-") && next !== "-") ? undefined : next);
    if (value === undefined || value === "") throw new UsageError(`${written}: needs a value, ${option.value}`);
    if (option.name in values) throw new UsageError(`${written}: is given more than once`);
    if (attached === undefined) at++;
    values[option.name] = value;
  }
  if (operands.length > most) throw new UsageError(`unexpected argument: ${quoted(operands[most]!)}`);
  return { flags, values, operands };
}

function divided(arg: string): [written: string, attached: string | undefined] {
  const at = arg.indexOf("=");
  return at < 0 ? [arg, undefined] : [arg.slice(0, at), arg.slice(at + 1)];
}

function unknown(written: string, options: readonly Option[]): string {
  const known = [...options.map(({ name }) => `--${name}`), "--help"];
  const suggestion = nearest(written, known);
  return `${written}: unknown option of this command${suggestion === undefined ? "" : `; did you mean ${suggestion}?`}`;
}

/** Quotes a word if a shell would not take it as one word. */
function quoted(text: string): string {
  return /^[\w./:@%+-]+$/.test(text) ? text : JSON.stringify(text);
}
