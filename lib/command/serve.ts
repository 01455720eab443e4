// The edge: a process serves one verb of one plugin, a runtime's or a person's.
import * as host from "host";
import { answer } from "../cni/answer.ts";
import { lookAt } from "../diagnosis/survey-pod.ts";
import type { AnyPlugin } from "./command.ts";
import { commandLine } from "./command-line.ts";

/** Serves the verb that the environment asks for, or without one the arguments, and ends the process. All of `plugins/<name>/main.ts` is `serve(plugin)`. */
export function serve(plugin: AnyPlugin): void {
  host.main(() => {
    let status = 1;
    try {
      const args = host.env().CNI_COMMAND ? [] : host.args();
      status = args.length > 0 ? commandLine(plugin, args, { ...host, lookAt }) : answer(plugin, host);
    } catch (failure) {
      // Not even an error could be printed, and standard output may have half of one.
      host.writeStderr(`${plugin.name}: ${failure instanceof Error ? failure.message : String(failure)}\n`);
    }
    host.exit(status);
  });
}
