// From arguments to a verb for people, and to an exit status.
import type { Plugin } from "../cni/plugin.ts";
import { type Command, UsageError } from "./command.ts";
import { commands } from "./commands.ts";
import type { System } from "./system.ts";

/** What a command line needs of the system. */
export interface Terminal extends System {
  writeStdout(text: string): void;
  writeStderr(text: string): void;
}

/**
 * Runs the verb that the arguments name and gives the exit status: the verb's own (0 where all is well, 1 where it found something), 2 where the arguments make no sense, 3 where what they ask
 * for could not be done.
 */
// biome-ignore lint/suspicious/noExplicitAny: a plugin of any configuration
export function commandLine(plugin: Plugin<any, any>, [name, ...args]: readonly string[], terminal: Terminal): number {
  if (name === "--help" || name === "-h" || name === "help") {
    terminal.writeStdout(help(plugin));
    return 0;
  }
  const command = commands.find((one) => one.name === (name === "--version" ? "version" : name));
  try {
    if (command === undefined) throw new UsageError(`${name}: is no verb of this plugin's`);
    return command.run({ plugin, args, print: (text) => terminal.writeStdout(`${text}\n`), system: terminal });
  } catch (failure) {
    const what = failure instanceof Error ? failure.message : String(failure);
    const wrong = failure instanceof UsageError;
    const usage = command === undefined ? `${plugin.name} --help` : usageOf(plugin.name, command);
    terminal.writeStderr(`${plugin.name}: ${what}${wrong ? `; usage: ${usage}` : ""}\n`);
    return wrong ? 2 : 3;
  }
}

/** What `--help` prints. */
function help({ name, about }: { readonly name: string; readonly about: string }): string {
  const usages = commands.map((command) => [usageOf(name, command), command.about] as const);
  const width = Math.max(...usages.map(([usage]) => usage.length));
  return [
    `${name}: ${about}`,
    "",
    "A container runtime calls it by CNI_COMMAND and a configuration on standard input. For people:",
    "",
    ...usages.map(([usage, what]) => `  ${usage.padEnd(width)}  ${what}`),
    "",
  ].join("\n");
}

function usageOf(plugin: string, { name, usage }: Command): string {
  return `${plugin} ${name} ${usage}`.trimEnd();
}
