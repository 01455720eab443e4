// Exports fast-check with the seed of this test run. Tests import fast-check from here.
import fc from "fast-check";
import { seed } from "./seed.ts";

fc.configureGlobal({ seed });

export { fc };
