// `version`: the release, and the versions of CNI that a plugin supports.
import { versions } from "../cni/versions.ts";
import { json } from "./arguments.ts";
import { type AnyPlugin, type Command, exit } from "./command.ts";

/** The package's version, which the build inserts. */
declare const __VERSION__: string;

const options = [json];

export const version: Command = {
  name: "version",
  usage: "[--json]",
  about: "prints the release",
  options,

  run({ program: { name }, given, print }) {
    print(given.flags.has("json") ? JSON.stringify({ program: name, version: __VERSION__ }) : `${name} ${__VERSION__}`);
    return exit.healthy;
  },
};

export const pluginVersion: Command<AnyPlugin> = {
  ...version,
  about: "prints the release, and which versions of CNI it supports",

  run({ program: { name }, given, print }) {
    print(
      given.flags.has("json")
        ? JSON.stringify({ plugin: name, version: __VERSION__, cni: versions })
        : `${name} ${__VERSION__}, CNI ${versions.join(", ")}`,
    );
    return exit.healthy;
  },
};
