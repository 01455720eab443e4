// The namespace tests of the plugins once more, as they are, in machines whose kernel has what CI's
// own lacks.
import { readdirSync } from "node:fs";
import t from "tap";
import { build, checkout } from "./qemu.ts";
import { runInside } from "./suite.ts";

const directory = `${checkout}/test/system/netns`;
const files = readdirSync(directory)
  .filter((name) => name.endsWith("-binding"))
  .flatMap((plugin) => readdirSync(`${directory}/${plugin}`).map((name) => `${directory}/${plugin}/${name}`))
  .filter((name) => name.endsWith(".test.ts"));

t.test("the plugins' namespace tests", async (t) => {
  // A plugin that is killed, or refused, at each of its changes: what it does then is its own
  // logic, the same on every kernel, and all of it takes emulation ten minutes.
  const env = build().accelerator === "tcg" ? { FAULTS_EVERY: "10", HISTORIES: "10" } : {};
  await runInside(t, files, { name: "netns", machines: 2, env });
});
