// scripts/trace: standard input with its places led back to TypeScript. The argument is the
// directory of the source maps.
import { readFileSync } from "node:fs";
import { traced } from "./trace.ts";

process.stdout.write(traced(readFileSync(0, "utf8"), process.argv[2]!));
