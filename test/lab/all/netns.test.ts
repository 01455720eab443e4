// Runs the namespace tests that have the same result on every kernel.
import { namespaceTests, runsEveryTime } from "../vm/namespace-tests.ts";

namespaceTests("the plugins' other namespace tests", (file) => !runsEveryTime(file));
