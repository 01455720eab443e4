// The namespace tests whose results depend on what only the machine's kernel has.
import { namespaceTests, runsEveryTime } from "./namespace-tests.ts";

namespaceTests("the plugins' namespace tests that depend on the kernel", runsEveryTime);
