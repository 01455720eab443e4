// Implements scripts/trace: copies standard input and translates its places to TypeScript. The
// argument is the directory of the source maps.
import { readFileSync } from "node:fs";
import { traced } from "./trace.ts";

process.stdout.write(traced(readFileSync(0, "utf8"), process.argv[2]!));
