// The namespace tests of the plugins once more, as they are, in a machine whose kernel has what CI's own lacks.
import { readdirSync } from "node:fs";
import t from "tap";
import { startMachine } from "./machine.ts";
import { build, checkout } from "./qemu.ts";
import { runInside } from "./suite.ts";

const directory = `${checkout}/test/netns`;
const files = readdirSync(directory)
  .filter((name) => name.endsWith("-binding"))
  .flatMap((plugin) => readdirSync(`${directory}/${plugin}`).map((name) => `${directory}/${plugin}/${name}`))
  .filter((name) => name.endsWith(".test.ts"));

t.test("the plugins' namespace tests", async (t) => {
  const machine = await startMachine(t, { name: "netns" });
  // A plugin that is killed, or refused, at each of its changes: what it does then is its own logic, the same on every kernel, and all of it takes emulation ten minutes.
  const env = { FAULTS_EVERY: build().accelerator === "tcg" ? "6" : "1" };
  // Emulation has two CPUs, and a test waits most of the time for what it started.
  await runInside(t, machine, files, { atOnce: 2, env });
});
