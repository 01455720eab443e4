// `version`: the release, and the versions of CNI that a plugin supports.
import { versions } from "../cni/versions.ts";
import { printableJson } from "../printable.ts";
import { release } from "../release.ts";
import { json } from "./arguments.ts";
import { type AnyPlugin, type Command, exit } from "./command.ts";

const options = [json];

export const version: Command = {
  name: "version",
  usage: "[--json]",
  about: "prints the release",
  options,

  run({ program: { name }, given, print }) {
    print(given.flags.has("json") ? printableJson({ program: name, version: release }) : `${name} ${release}`);
    return exit.healthy;
  },
};

export const pluginVersion: Command<AnyPlugin> = {
  ...version,
  about: "prints the release, and which versions of CNI it supports",

  run({ program: { name }, given, print }) {
    print(
      given.flags.has("json")
        ? printableJson({ plugin: name, version: release, cni: versions })
        : `${name} ${release}, CNI ${versions.join(", ")}`,
    );
    return exit.healthy;
  },
};
