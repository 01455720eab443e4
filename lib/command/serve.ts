// The entry of a process: serves one call of a plugin, or one command of a program.
import * as host from "host";
import { answer } from "../cni/answer.ts";
import { CniError, code } from "../cni/errors.ts";
import { errorDocument } from "../cni/failure.ts";
import { newest } from "../cni/versions.ts";
import { loadRoots } from "../kernel/roots.ts";
import { printable } from "../printable.ts";
import type { AnyPlugin, CommandSet, Program } from "./command.ts";
import { commandLine } from "./command-line.ts";
import { pluginCommands } from "./commands.ts";

/**
 * Serves the verb in CNI_COMMAND, or without one the command that the arguments name, and ends the
 * process. `plugins/<name>/main.ts` only calls it.
 */
export function serve(plugin: AnyPlugin): void {
  main(plugin.name, () => {
    const args = host.env().CNI_COMMAND ? [] : host.args();
    if (args.length === 0) return answer(plugin, host, loadRoots);
    loadRoots();
    return commandLine(plugin, pluginCommands, args, host);
  });
}

/**
 * Serves the command that the arguments name, and ends the process. `commands/<name>/main.ts` only
 * calls it.
 */
export function serveCommands(program: Program, set: CommandSet<Program>): void {
  main(program.name, () => {
    if (host.env().CNI_COMMAND === undefined) {
      const args = host.args();
      loadRoots();
      return commandLine(program, set, args.length === 0 ? ["--help"] : args, host);
    }
    // A netconf may name any executable of the CNI directory.
    const failure = new CniError(code.badConfiguration, `type: ${program.name} is not a CNI plugin`);
    host.writeStdout(`${errorDocument(failure, newest, undefined)}\n`);
    return 1;
  });
}

function main(name: string, run: () => number): void {
  host.main(() => {
    let status = 1;
    try {
      status = run();
    } catch (failure) {
      // Not even an error could be printed, and standard output may hold a part of one.
      host.writeStderr(`${name}: ${printable(failure instanceof Error ? failure.message : String(failure))}\n`);
    }
    host.exit(status);
  });
}
