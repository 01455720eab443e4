// Runs the namespace tests that depend on features of the machine's kernel.
import { namespaceTests, runsEveryTime } from "./namespace-tests.ts";

namespaceTests("the plugins' namespace tests that depend on the kernel pass", runsEveryTime);
