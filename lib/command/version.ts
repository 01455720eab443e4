// `version`: which release this is, and what it speaks.
import { versions } from "../cni/versions.ts";
import { json } from "./arguments.ts";
import { type Command, exit } from "./command.ts";

/** The package's version; the build puts it here. */
declare const __VERSION__: string;

export const version: Command = {
  name: "version",
  usage: "[--json]",
  about: "says which release this is, and which versions of CNI it speaks",
  options: [json],

  run({ plugin, given, print }) {
    if (given.flags.has("json")) print(JSON.stringify({ plugin: plugin.name, version: __VERSION__, cni: versions }));
    else print(`${plugin.name} ${__VERSION__}, CNI ${versions.join(", ")}`);
    return exit.healthy;
  },
};
