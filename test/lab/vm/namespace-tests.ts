// Runs the plugins' namespace tests, as they are, in machines whose kernel has dummy links, VLAN
// filtering and ipvlan, which the kernel of CI lacks.
import { readdirSync } from "node:fs";
import { basename } from "node:path";
import t from "tap";
import { build, checkout } from "./qemu.ts";
import { runInside } from "./suite.ts";

const directory = `${checkout}/test/system/netns`;

/** The files that run every time: the result of each depends on what only this kernel has. */
const everyTime = ["bad-input", "diagnose", "end-state", "restore-links", "vlan"].map((name) => `${name}.test.ts`);

/** Whether the file runs every time, or by `scripts/test --all` only. */
export const runsEveryTime = (file: string): boolean =>
  file.includes("/bridge-binding/") && everyTime.includes(basename(file));

/** Declares a test that runs the files that `chosen` accepts. */
export function namespaceTests(name: string, chosen: (file: string) => boolean): void {
  const files = readdirSync(directory)
    .filter((folder) => folder.endsWith("-binding"))
    .flatMap((plugin) => readdirSync(`${directory}/${plugin}`).map((file) => `${directory}/${plugin}/${file}`))
    .filter((file) => file.endsWith(".test.ts") && chosen(file));

  t.test(name, async (t) => {
    // What a plugin does when it is killed or refused at a change is its own logic, equal on every
    // kernel. All points would take an emulated machine an hour.
    const env = build().accelerator === "tcg" ? { FAULTS_EVERY: "10", HISTORIES: "10" } : {};
    await runInside(t, files, { name: "netns", machines: 2, env });
  });
}
