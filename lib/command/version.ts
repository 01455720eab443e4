// `version`: which release this is, and what it speaks.
import { versions } from "../cni/versions.ts";
import { type Command, UsageError } from "./command.ts";

/** The package's version; the build puts it here. */
declare const __VERSION__: string;

export const version: Command = {
  name: "version",
  usage: "",
  about: "says which release this is, and which versions of CNI it speaks",

  run({ plugin, args, print }) {
    if (args.length > 0) throw new UsageError(`${args[0]}: is not expected`);
    print(`${plugin.name} ${__VERSION__}, CNI ${versions.join(", ")}`);
    return 0;
  },
};
