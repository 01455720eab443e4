// The verbs for people that every plugin has.
import { check } from "./check.ts";
import type { Command } from "./command.ts";
import { diagnose } from "./diagnose.ts";
import { explain } from "./explain.ts";
import { gc } from "./gc.ts";
import { install } from "./install.ts";
import { status } from "./status.ts";
import { version } from "./version.ts";

export const commands: readonly Command[] = [check, diagnose, explain, gc, install, status, version];
