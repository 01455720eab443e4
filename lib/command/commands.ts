// The verbs for people that every plugin has.
import type { Command } from "./command.ts";
import { install } from "./install.ts";
import { version } from "./version.ts";

export const commands: readonly Command[] = [install, version];
