// The edge: a process serves one verb of one plugin, a runtime's or a person's. The only file of this folder that touches the system.
import * as host from "host";
import { commandLine } from "../command/command-line.ts";
import { answer } from "./answer.ts";
import type { Plugin } from "./plugin.ts";

/** Serves the verb that the environment asks for, or without one the arguments, and ends the process. All of `plugins/<name>/main.ts` is `serve(plugin)`. */
export function serve<C, D>(plugin: Plugin<C, D>): void {
  host.main(() => {
    let status = 1;
    try {
      const args = host.env().CNI_COMMAND ? [] : host.args();
      status = args.length > 0 ? commandLine(plugin, args, host) : answer(plugin, host);
    } catch (failure) {
      // Not even an error could be printed, and standard output may have half of one.
      host.writeStderr(`${plugin.name}: ${failure instanceof Error ? failure.message : String(failure)}\n`);
    }
    host.exit(status);
  });
}
