// Runs the namespace tests that have the same result on every kernel.
import { namespaceTests, runsEveryTime } from "../vm/namespace-tests.ts";

namespaceTests("the plugins' namespace tests that do not depend on the kernel pass", (file) => !runsEveryTime(file));
