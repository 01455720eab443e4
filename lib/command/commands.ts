// The operator commands that every plugin has.
import { check } from "./check.ts";
import type { AnyPlugin, CommandSet } from "./command.ts";
import { explain } from "./explain.ts";
import { gc } from "./gc.ts";
import { install } from "./install.ts";
import { status } from "./status.ts";
import { pluginVersion } from "./version.ts";

export const pluginCommands: CommandSet<AnyPlugin> = {
  commands: [check, explain, gc, install, status, pluginVersion],
  intro: "A container runtime calls it with CNI_COMMAND and a netconf on standard input. Commands for operators:",
  moved: { diagnose: "vmnet" },
};
