// The verbs for people that every plugin has.
import type { Command } from "./command.ts";
import { diagnose } from "./diagnose.ts";
import { version } from "./version.ts";

export const commands: readonly Command[] = [diagnose, version];
