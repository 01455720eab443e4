// The namespace tests of the plugins once more, as they are, in a machine whose kernel has what CI's own lacks.
import { readdirSync } from "node:fs";
import { Readable } from "node:stream";
import t from "tap";
import { startMachine } from "./machine.ts";
import { checkout } from "./qemu.ts";

/** Kills an ADD and a DEL before each of their system calls: nothing that depends on the kernel, and ten minutes of emulation. */
const leftOut = ["bridge-binding/crash.test.ts"];

/** Emulation has two CPUs, and a test waits most of the time for what it started. */
const atOnce = 2;

const directory = `${checkout}/test/netns`;
const files = readdirSync(directory)
  .filter((name) => name.endsWith("-binding"))
  .flatMap((plugin) => readdirSync(`${directory}/${plugin}`).map((name) => `${plugin}/${name}`))
  .filter((name) => name.endsWith(".test.ts") && !leftOut.includes(name));

t.test("the plugins' namespace tests", async (t) => {
  const machine = await startMachine(t, { name: "netns" });
  const waiting = [...files];
  const runOn = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const { status, stdout, stderr, milliseconds } = await machine.attemptTest(`${directory}/${name}`);
      t.comment(`${name}: ${(milliseconds / 1000).toFixed(0)} s`);
      await t.stdin(name, { tapStream: Readable.from([stdout]) });
      if (status !== 0) t.comment(`${name}: exit status ${status}\n${stderr}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, runOn));
});
