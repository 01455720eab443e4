// Runs the plugins' namespace tests in machines with a kernel that has dummy links, VLAN filtering
// and ipvlan. The kernel of CI lacks them.
import { readdirSync } from "node:fs";
import { basename } from "node:path";
import t from "tap";
import { build, checkout } from "./qemu.ts";
import { runInside } from "./suite.ts";

const directory = `${checkout}/test/system/netns`;

/**
 * The files that run in every test run: their results depend on features that only this kernel has.
 */
const everyTime = ["bad-input", "diagnose", "end-state", "restore-links", "vlan"].map((name) => `${name}.test.ts`);

/** Whether the file runs in every test run. The others run only with `scripts/test --all`. */
export const runsEveryTime = (file: string): boolean =>
  file.includes("/bridge-binding/") && everyTime.includes(basename(file));

/** Declares a test that runs the files for which `chosen` returns true. */
export function namespaceTests(name: string, chosen: (file: string) => boolean): void {
  const files = readdirSync(directory)
    .filter((folder) => folder.endsWith("-binding"))
    .flatMap((plugin) => readdirSync(`${directory}/${plugin}`).map((file) => `${directory}/${plugin}/${file}`))
    .filter((file) => file.endsWith(".test.ts") && chosen(file));

  t.test(name, async (t) => {
    // How a plugin reacts to a kill or an error at a change depends on its own code, not on the
    // kernel. An emulated machine would need an hour for all points.
    const env = build().accelerator === "tcg" ? { FAULTS_EVERY: "10", HISTORIES: "10" } : {};
    await runInside(t, files, { name: "netns", machines: 2, env });
  });
}
